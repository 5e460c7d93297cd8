"""Mail addresses as people read them: `bücher.example`, where the ledger has `xn--bcher-kva.example`. Pure."""

_ALABEL = "xn--"


def show_mailbox(address: str) -> str:
    """Return an address with its domain in letters (RFC 5890, U-labels); one that can't be read so stays as it is."""
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{'.'.join(map(_show_label, domain.split('.')))}"
    except UnicodeError:
        return address


def _show_label(label: str) -> str:
    return label[len(_ALABEL) :].encode("ascii").decode("punycode") if label.startswith(_ALABEL) else label
