"""What servers say when the reader's mailbox takes nothing now: full, disabled, or the reader's own choice.

From the standards' own texts (RFC 3463, 5248), the texts in the sources of Postfix, Exim, Sendmail, qmail, Courier and
Dovecot, and what Exchange, Domino, GroupWise, IMail and the large providers are documented to answer. ` | ` separates
phrases; see `matching` for their form.
"""

from newsletter.mail.reports.matching import make_rule
from newsletter.model.bounce import Reason

MAILBOX_FULL = make_rule(
    Reason.MAILBOX_FULL,
    """
mailbox full | mailbox is full | mailbox … is full | mailbox … is almost full | mailbox for user is full
mailbox quota | mailbox over quota | mailbox has exceeded | mailbox exceeded | mailbox would exceed
mailbox exceeds allowed size | mailbox size limit exceeded | mailbox limit exceeded | mailbox … over the limit
mailbox … out of space | mailbox disk quota | exceeds mailbox quota | full mailbox | inbox is full
inbox is out of storage | inbox full | folder is full | mailfolder is full | mail box full | mail box is full
box is full | over quota | overquota | over-quota | over its quota | over their quota | over the quota
over disk quota | over the allowed quota | over the maximum allowed quota | over your quota | is over storage limit
user is over the | quota exceeded | quota exceed | quota full | quota is full | quota exhausted | quota violation
quota … exceeded | exceeded quota | exceeded his quota | exceeded their quota | exceeded its quota | exceeded the quota
exceeds quota | exceeds the quota | exceeding quota | exceeding their quota | exceeding its … quota | out of quota
no quota | insufficient quota | reached disk quota | reached quota | reached their quota | hit quota limit | disk quota
disc quota | storage quota | storage limit | storage allocation | exceeded storage | exceeded its storage
exceed maximum allowed storage | exceeded its disk space | not enough storage space | not enough space
not enough free space | not enough disk space | does not have enough space | doesn't have enough space
insufficient disk space | insufficient space | space has been used up | no space left for this user
would exceed … quota | maildir over | maildir … quota | too much mail data | too many messages on the server
too many messages … mailbox | number of messages in recipient's mailbox exceeded | mailbox contains too many messages
exceeding receiving limits | exceeded the local limit | error writing message: file too large
cannot append message to … file too large | account is full | account full | account … temporarily over
message store is full | user is full | rcp-t2 | boite pleine | boite aux lettres pleine | boite aux lettres … pleine
boite de reception … pleine | boite du destinataire pleine | boite du destinataire saturee | depasse son quota
quota depasse | postfach voll | postfach ist voll | postfach … voll | postfach … uberschritten
mailbox … uberschritten | mailbox voll | mailbox ist voll | speicherplatz … erschopft | quota uberschritten
buzon lleno | buzon … lleno | buzon esta lleno | casilla llena | casilla … llena | cuota excedida | excedido la cuota
excede su cuota | excedio la cuota | excedido su capacidad | caixa postal cheia | caixa postal … cheia
caixa de correio cheia | caixa de correio … cheia | caixa de entrada … cheia | cota excedida | casella piena
casella … piena | casella di posta piena | quota superata | spazio esaurito | postvak is vol | postbus is vol
mailbox vol | skrzynka pelna | skrzynka jest pelna | skrzynka … przepelniona | przekroczony limit | ящик переполнен
ящик … переполнен | ящик заполнен | ящик … заполнен | ящике … нет места | превышена квота | квота … превышена
メールボックスが一杯 | メールボックスがいっぱい | メールボックス … 一杯 | メールボックス … いっぱい
受信トレイ … いっぱい | 容量を超え | 容量オーバー | 保存容量 | 邮箱已满 | 邮箱 … 已满 | 信箱已满 | 信箱空间不足
空间不足 | 容量已满 | 容量不足 | 空间已满 | 용량 … 초과 | 메일함 … 가득 | would be over … quota
""",
)

MAILBOX_DISABLED = make_rule(
    Reason.MAILBOX_DISABLED,
    """
account that you tried to reach is disabled | account that you tried to reach is inactive | account has been disabled
account has been suspended | account has been temporarily suspended | account has been blocked
account has been locked | account has been deactivated | account has been inactive | account is disabled
account is suspended | account is currently suspended | account is currently disabled | account is inactive
account is not active | account is locked | account is deactivated | account is temporarily disabled
account is temporarily limited | account is temporarily suspended | account is expired | account expired
account disabled | account suspended | account inactive | account locked | account closed for inactivity
account deactivated | account … not activated | account … suspended | account isblocked | account is blocked
disabled or discontinued | disabled account | disabled mailbox | disabled user | suspended account | inactive account
inactive user | inactive mailbox | deactivated mailbox | deactivated account | mailbox disabled | mailbox is disabled
mailbox … is disabled | mailbox … disabled | mailbox has been disabled | mailbox has been suspended
mailbox has been blocked | mailbox has been locked | mailbox is suspended | mailbox currently suspended
mailbox suspended | mailbox is frozen | mailbox frozen | mailbox is inactive | mailbox … inactive | mailbox inactive
mailbox is locked | mailbox locked | mailbox is deactivated | mailbox is blocked | mailbox blocked
mailbox temporarily disabled | mailbox temporarily suspended | mail receiving disabled | mailaddress is administrativ
address is administratively disabled | administratively disabled | user account disabled | user account is disabled
user account is suspended | user is disabled | user disabled | user is suspended | user suspended | user is inactive
user is currently inactive | user inactive | user not active | user is not active | user is locked | user is terminated
user is deactivated | user has been disabled | user has been suspended | user temporarily suspended | user … suspended
user … disabled | recipient is suspended | recipient suspend | recipient is disabled | recipient is inactive
recipient inactive | recipient disabled | recipient … suspended | recipient … disabled
recipient rejected: temporarily inactive | temporarily inactive | temporary locked | temporarily locked
is currently suspended | has been suspended | address suspended | address is suspended | address has been suspended
address is inactive | address inactive | address is disabled | address disabled | extended inactivity
due to inactivity | domain is suspended | domain suspended | domain has been suspended | domain is disabled
domain has been disabled | domain … temporarily disabled | delivery error: dd * is no longer valid
not accepting messages for this mailbox | is not currently accepting mail for this mailbox | archived recipient
boite du destinataire archivee | compte du destinataire est bloque | compte desactive | compte suspendu | rcp-t4
konto gesperrt | konto … gesperrt | konto deaktiviert | postfach gesperrt | postfach … gesperrt | postfach deaktiviert
cuenta deshabilitada | cuenta suspendida | cuenta … suspendida | cuenta inactiva | buzon deshabilitado
conta desativada | conta suspensa | conta … bloqueada | casella disabilitata | casella sospesa
учетная запись … заблокирована | ящик заблокирован | ящик … заблокирован | ящик отключен
account is not available temporarily | 邮箱被禁用 | 邮箱已停用 | 帐号被禁用 | 帐户被禁用 | 用户被锁定
""",
)

FILTERED = make_rule(
    Reason.FILTERED,
    """
only accepting mail from | only accepts mail from | only accepts email from | only accepts messages from
only accepts e-mail from | not accepting mail from this sender | not accepting mail from you
not accepting mail with attachments | not accepting any mail | is not accepting mail | are not accepting mail
isn't accepting | not accepting messages from | does not accept mail from you | does not want to receive
doesn't want to receive | does not wish to receive | refused due to recipient preferences | recipient preferences
recipient's preferences | privacy settings | message rejected due to user rules | user rules | user rejected mail
user reject | user rejects | rejected by user | rejected by the user | rejected by recipient
rejected by the recipient | rejected by recipients | refused by recipient | refused by the recipient | refused by user
refused by the addressee | refuses to accept your mail from this address | blocked by recipient
blocked by the recipient | blocked by user | blocked your address | blocked your email address | blocked by addressee
recipient has blocked | recipient has rejected | recipient id refuse to receive | recipient refuses
refuse to receive mail | you have been blocked | account is protected by | mailbox is protected | has restricted sms
restricted sms e-mail | not in my whitelist | not on the whitelist | not in recipient's | not on recipient's
not in the recipient's address book | not on the guest list | not in their list of allowed
not authorized to send to this recipient | not authorized to send to the destination | not authorized to send mail to
not allowed to send to this recipient | not permitted to send to | don't have permission to send
do not have permission to send | you can't send messages to | you cannot send messages to
permission to send to this recipient | permission to post | members-only list | members only | subscribers only
non-member | not a member of | are not member | not subscribed to this group | closed mailing list
only be used by members | group only accepts | restricted group | resolver.rst.notauthorized
resolver.rst.authrequired | resolver.rst.restrict | sender not authenticated for group
sender not authenticated for mailbox | sender not authenticated | restrict … delivery | delivery to … restricted
rejected by a rule of | was automatically rejected | message was automatically rejected
message was rejected by … sieve | sieve … reject | message refused by the recipient's filter
rejected by the recipient's filter | recipient filter | deny list of the recipient | rcp-p2 | rcp-p3
cannot route mail to user | empfanger hat … abgelehnt | vom empfanger abgelehnt | vom empfanger blockiert | 受信拒否
受信を拒否 | 受信者 … 拒否 | 收件人拒收 | 被收件人拒绝
""",
)
