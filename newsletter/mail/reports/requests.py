"""Requests to leave by mail: what `List-Unsubscribe: <mailto:…>` makes mail programs send (RFC 2369, 8058).

Owns recognising one. Whom it is about is told by the token in its subject alone, never by who sent it.
"""

import re

from newsletter.mail.reports.fields import Fields, decode_words
from newsletter.mail.reports.matching import make_beginnings, normalise
from newsletter.model.edition import TOKEN_WIDTH

_SUBJECT = re.compile(
    rf"\s*(?:re:\s*)?[\"'<(]?(?:list[- ])?unsubscribe[ :=_-]+([A-Za-z2-7]{{{TOKEN_WIDTH}}})[\"'>)]?\s*$", re.IGNORECASE
)
_WISHES = frozenset(
    make_beginnings(
        """
unsubscribe | unsubscribe me | please unsubscribe | please unsubscribe me | remove me | please remove me | take me off
opt out | opt-out | optout | stop | abbestellen | abmelden | austragen | bitte abmelden | newsletter abbestellen
desabonner | desabonnement | desinscription | desinscrire | darme de baja | baja | cancelar suscripcion
cancelar inscricao | descadastrar | cancellami | disiscrizione | disiscrivi | uitschrijven | afmelden | отписаться
отписка | отписать | 配信停止 | 退订 | 取消订阅
"""
    )
)


def find_request_token(fields: Fields) -> str:
    """Return the token of an unsubscribe request's subject, unchecked, or ''."""
    found = _SUBJECT.match(decode_words(fields.get("subject")))
    return found[1] if found else ""


def is_request(fields: Fields, addressed: list[str], unsubscribe_address: str) -> bool:
    """Return whether a mail asks to leave: by its subject, or by the address it came to."""
    if find_request_token(fields) or _is_plain(decode_words(fields.get("subject"))):
        return True
    return bool(unsubscribe_address) and unsubscribe_address.lower() in addressed


def _is_plain(subject: str) -> bool:
    """Return whether a subject is nothing but the wish to leave."""
    words = normalise(subject).text.removeprefix("re:").strip(" .!")
    return words in _WISHES
