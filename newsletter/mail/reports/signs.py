"""Whether a mail is a bounce at all: who sent it, what it is called, how it begins.

Owns the signs, and how many of them it takes.
"""

import re

from newsletter.mail.reports.addresses import find_address
from newsletter.mail.reports.autoreply import is_auto_reply
from newsletter.mail.reports.fields import Fields, decode_words
from newsletter.mail.reports.judge import tells_reason
from newsletter.mail.reports.matching import has_phrase, make_phrases, normalise
from newsletter.mail.reports.structure import Part, walk_parts
from newsletter.mail.reports.text import Words

_DAEMON = re.compile(
    r"(?:mailer[-_.]?daemon|mail[-_.]?daemon|post[-_]?master|daemon|mail-?delivery|mdaemon|mail[-_.]?system|bounce[\w.+-]*|double-bounce"
    r"|mmdf|amavis|microsoftexchange\w*|maildelivery|ndr|undeliver\w*|mail-?notification\w*|no-?reply\+?\w*|complaints)@",
    re.IGNORECASE,
)
_DAEMON_NAMES = make_phrases(
    """
mail delivery | mail deliver | mailer-daemon | mailer daemon | mail daemon | delivery subsystem | delivery system
mail administrator | system administrator | postmaster | mail system | delivery status | mail router
microsoft outlook | microsoft exchange | mail server at | internet mail | non-delivery | delivery notification
interscan | mdaemon | mail transfer agent | mail service | systemadministrator
"""
)
_SUBJECTS = make_phrases(
    """
undeliver | undelivered | delivery status notification | delivery failure | delivery failed | delivery has failed
delivery problem | delivery error | delivery report | delivery notification | delivery notice | delivery delayed
delivery status | failure notice | failure delivery | failed delivery | failed mail | mail failed | mail failure
error sending message | mail delivery | message delivery | mail system error | returned mail | returned to sender
return to sender
returning message | mail returned | mail status report | mail could not | could not be delivered | could not deliver
couldn't be delivered | not delivered | cannot be delivered | can't be delivered | can not be delivered
unable to deliver | not be delivered | nondeliverable | non-deliverable | non delivery | non-delivery | non remis
nondelivery | bounce | returned message | message returned | rejected mail | mail rejected | message rejected
e-mail rejected | warning: could not send | warning: message | warning: delayed | delayed mail | message delayed
notice: mail delivery | not member article | ignored not member | reject mail from | spam mail from a spammer
loop alert | message frozen | there was an error sending | error sending your mail | user unknown | message status
permanent delivery failure | your message to … has been rejected | unzustellbar | nicht zustellbar
nicht zugestellt | zustellung | fehlgeschlagen
non remise | echec de | non distribue | non livre | no se puede entregar | no entregado | no se ha entregado
error de entrega | notificacion de | devuelto | nao entregue | nao foi entregue | falha na entrega
falha de entrega
devolvid | non recapitabile | mancato recapito | errore di consegna | onbestelbaar | niet te bezorgen
niet afgeleverd
niedostarczon | nie dostarczono | zwrot | olevererbar | kan ikke leveres | toimittaminen | недостав | не доставлен
не может быть доставлен | ошибка доставки | возврат | 配信不能 | 配信できません | 配信に失敗 | 送信できません
配達不能 | 配信エラー | 送信エラー | エラーメール | 未配達 | 退信 | 无法投递 | 投递失败 | 发送失败 | 未送达 | 無法傳遞
반송 | 전송 실패 | 배달되지 | mail delayed | teslim edilemedi | iletilemedi | gonderilemedi | nedorucitel
nelze dorucit | kezbesitetlen | nem kezbesit | δεν παραδοθηκε | μη παραδοτ | netoimitettu | nu a putut fi livrat
nedostavlj | neisporuc
"""
)
_INTRODUCTIONS = make_phrases(
    """
could not be delivered | couldn't be delivered | cannot be delivered | can't be delivered | can not be delivered
not be delivered to | was not delivered | were not delivered | wasn't delivered | wasn't able to deliver
were unable to deliver | unable to deliver | not able to deliver | failed to deliver | has not been delivered
have not been delivered | did not reach | didn't reach | undeliverable | delivery to the following
delivery has failed | delivery failed | deliver your message | delivering your message | delivery failure
permanent fatal errors | permanent errors | had delivery problems | had delivery errors | delivery error
delivery problems | is the qmail-send program | created automatically by mail delivery | returned to you
being returned | following address failed | following addresses failed | failed addresses follow | failed recipients
following recipient | following addresses | no such user | user unknown | mailbox is full | message was rejected
message has been rejected | mail was rejected | mail has been rejected | not a member of this mailing list
message for list … was rejected | message for … was rejected | xmail bounce | has been returned
error delivering your mail | intended recipient | delivery status notification | nondelivery
non-delivery | konnte nicht zugestellt | nicht zugestellt werden | n'a pas pu etre | n'a pu etre
no pudo ser entregado | no se pudo entregar | no se ha podido entregar | nao pode ser entregue
nao foi possivel entregar | non e stato possibile | non puo essere | kon niet worden | не может быть доставлено
не удалось доставить | не было доставлено | 送信できませんでした | 送信に失敗 | 配信できません | 配送できません
届けられません | 無法送達 | teslim edilemedi | iletilemedi | nemohla byt dorucena | nebylo mozne dorucit
nem sikerult kezbesiteni
δεν παραδοθηκε | δεν ηταν δυνατη | no ha sido entregado | kunde inte levereras | kunne ikke leveres
ei voitu toimittaa
nu a putut fi livrat | nie mogla zostac dostarczona | nie zostala dostarczona | 전송하지 못 | 전달되지 | 배달하지 못
has been delayed | not yet been delivered | 无法送达 | 无法投递 | 退回
"""
)
_REPLY = re.compile(r"\s*(?:re|aw|sv|antw|odp|fwd?|wg|tr|rv|res|回复|答复|转发)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE)


def is_daemon(fields: Fields) -> bool:
    """Return whether a mail says that a mail system sent it."""
    sender = decode_words(fields.get("from"))
    if _DAEMON.match(find_address(sender)) or has_phrase(normalise(sender.partition("<")[0]), _DAEMON_NAMES):
        return True
    bare = sender.strip("<> ").upper() in ("MAILER-DAEMON", "POSTMASTER")
    return bare or sender.endswith("<>") or fields.has("x-failed-recipients")


def is_bounce(mail: Part, words: Words) -> bool:
    """Return whether a mail is a bounce: a report by its form, or by two signs of sender, subject, beginning, words.

    One alone isn't enough: postmasters write, too, and readers write about bounces. A reply's subject counts less than
    its words, since bounces quote subjects of replies.
    """
    if has_status_part(mail):
        return True
    subject = decode_words(mail.fields.get("subject"))
    called = has_phrase(normalise(subject), _SUBJECTS)
    signs = is_daemon(mail.fields) + has_null_sender(mail.fields) + called
    beginning = normalise(words.said[:3000])
    introduced = has_phrase(beginning, _INTRODUCTIONS)
    if signs + introduced > 1:
        if not (is_daemon(mail.fields) or called) and is_auto_reply(mail, words):
            return False  # nobody's return address, and a footer that speaks of its "intended recipient"
        return signs > 1 or not _is_answer(mail.fields, subject)
    return is_daemon(mail.fields) and tells_reason(words.said)


def _is_answer(fields: Fields, subject: str) -> bool:
    """Return whether somebody answered a mail: its subject says so, and it refers to one."""
    return bool(_REPLY.match(subject)) and fields.has("in-reply-to", "references")


def has_status_part(mail: Part) -> bool:
    """Return whether a mail is a delivery report by its MIME type, or has a part that is one."""
    if mail.parameters.get("report-type", "").lower() == "delivery-status":
        return True
    return any(part.kind in STATUS_KINDS for part in walk_parts(mail))


def has_null_sender(fields: Fields) -> bool:
    """Return whether a mail came from nobody (RFC 5321 section 4.5.5), as reports and many auto-replies do."""
    return fields.get("return-path").replace(" ", "") == "<>"


STATUS_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
