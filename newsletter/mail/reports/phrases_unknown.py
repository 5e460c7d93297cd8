"""What servers say when the reader's address isn't there: user, mailbox or domain.

From the standards' own texts (RFC 3463, 5248), the texts in the sources of Postfix, Exim, Sendmail, qmail, Courier and
Dovecot, and what Exchange, Domino, GroupWise, IMail and the large providers are documented to answer. ` | ` separates
phrases; see `matching` for their form.
"""

from newsletter.mail.reports.matching import make_rule
from newsletter.model.bounce import Reason

MOVED = make_rule(
    Reason.MOVED,
    """
has moved to | has moved, please | mailbox has moved | user has moved | has been moved to | has changed to
address has been changed | address has changed | address changed to | address … has been replaced by
has been replaced by | is now * | new address is * | new email address | new e-mail address | please use * instead
please resend to | please update your address book | please update your contacts | please update your records
user not local; please try | forwarding address expired | no longer at this address | no longer with the company
no longer with our company | no longer works here | no longer works for | no longer employed | no longer an employee
has left the company | has left the organization | has left the organisation | left our company | no longer in use
no longer in service | no longer valid | no longer active | no longer available | no longer exists | no longer exist
no longer accepts mail | no longer accept mail | no longer accepting mail | no longer accepting e-mail
no longer accepting email | no longer receiving | no longer monitored | no longer supported | no longer on server
no longer on this server | no longer here | is obsolete | address has been retired | account has been closed
account has been deleted | account has been terminated | account has been cancelled | account is closed
account closed | account terminated | account cancelled | account deleted | account has been removed
mailbox has been deleted | mailbox has been removed | mailbox deleted | mailbox closed | user has been deleted
user has been removed | user deleted | user has left | mailbox owner has changed | domain owner has changed
ist nicht mehr gultig | nicht mehr verfugbar | nicht mehr aktiv | nicht mehr erreichbar | n'est plus valide
n'est plus active | n'existe plus | ya no existe | ya no es valida | ya no esta | nao existe mais | non e piu attivo
non e piu attiva | non esiste piu | больше не существует | больше не используется | please try * instead
""",
)

USER_UNKNOWN = make_rule(
    Reason.USER_UNKNOWN,
    """
user unknown | user is unknown | user * unknown | user not found | user * not found | user … not found
user was not found | user not known | user not exist | user doesn't exist | user does not exist
user * does not exist
user … does not exist | user … doesn't exist | user … not listed | user invalid | user not listed
user missing home directory | user name is not found | user's email name is not found | user account not found
user account is unavailable | user is not a valid | user doesn't have a … account | user account does not exist
username does not exist | users unknown | unknown user | unknown users | unknown account | unknown addressee
unknown address | unknown or illegal | unknown or invalid | unknown local part | unknown local-part
unknown localpart
unknown local recipient | unknown mailbox | unknown recipient | unknown recipients | unknown email address
unknown e-mail address | unknown mail address | unknown virtual | unknown subscriber | unknown destination address
unknown to address | no such user | no such mailbox | no such recipient | no such address | no such account
no such person | no such addressee | no such local user | no such email | no such alias | no such customer
no such domain user | no such number | no known user | no mailbox | no mail box | no local mailbox
no one at this address | no one here by that name | no valid recipient | no valid mailbox | no matches … address book
no matching recipient | no email address … found | no person by that | no subscriber | no virtual user
there is no one | there is no user | there is no such | there is no account | there is no mailbox | not a known user
not a valid user | not a valid recipient | not a valid mailbox | not a valid email | not a valid e-mail
not a valid address | not a valid inbox | not a valid account | not a known recipient | not a known mailbox
not a user here | not a user at | not a user on | not a local address | not a recipient | not a mailbox
not an active address | not an existing mailbox | not known at | not known here | not known to | not listed in domino
not listed in public name | not listed in … name & address | not listed in … directory | not found in name & address
not found in domino | not found in … directory | not found in directory | not in name directory
not present in directory | not in my validrcptto | not in validrcptto | not our customer | isn't a valid
isn't a user
is not a user | is not a known | is not known | is not an account | is not an existing | is not our user
is not recognized | is not recognised | isn't recognized | name is not recognized | recipient unknown
recipient is unknown | recipient * unknown | recipient … unknown | recipient not found | recipient … not found
recipient was not found | recipient wasn't found | recipient … was not found | recipient … wasn't found
recipient couldn't be found | recipient not exist | recipient does not exist | recipient doesn't exist
recipient * does not exist | recipient … does not exist | recipient … doesn't exist | recipient no longer exist
recipient no longer on | recipient is not exist | recipient is not a | recipient is not local | recipient is not valid
recipient not valid | recipient not ok | recipient invalid | recipient * invalid | recipient address unknown
recipient address not found | recipient address invalid | recipient address does not exist
recipient address is invalid | recipient address is unknown | recipient address rejected: user
recipient address rejected: unknown | recipient address rejected: userunknown | recipient address rejected: invalid
recipient address rejected: no such | recipient address rejected: undeliverable address
recipient address rejected: access denied | recipient address rejected: mailbox
recipient address rejected: recipient
recipient address rejected: account | recipient address rejected: aliased to no one | recipient has been deleted
recipient mailbox does not exist | recipient's e-mail address was not found | recipient's email address was not found
recipientnotfound | recipient notfound | recipnotfound | recipients unknown | invalid recipient | invalid-recipient
invalid rcpt | invalid user | invalid mailbox | invalid mail box | invalid address | invalid email address
invalid e-mail address | invalid destination mailbox | invalid destination address | invalid or unknown
invalid local user | invalid local-part | invalid local part | invalid account | invalid alias
invalid final delivery userid | invalid to address | invalid to line | bad destination mailbox
bad destination email address | bad mailbox | bad address | bad recipient | bad-recipient | bad user
mailbox not found | mailbox … not found | mailbox does not exist | mailbox … does not exist | mailbox doesn't exist
mailbox … doesn't exist | mailbox not present | mailbox not exist | mailbox unknown | mailbox … unknown
mailbox invalid | mailbox is invalid | mailbox … not available | mailbox wasn't found | mailbox is not exist
mailbox name not allowed | mailbox name invalid | mailbox unavailable: unknown
mailbox … is unavailable: user not found | address does not exist | address doesn't exist | address … does not exist
address … doesn't exist | address not found | address … not found | address was not found | address wasn't found
address could not be found | address couldn't be found | address … couldn't be found | address is unknown
address unknown | address invalid | address is invalid | address is not valid | address not valid | address is wrong
address is incorrect | address not exist | address not known | address not recognized | address is not recognized
address not listed | address is not listed | address not present | address isn't valid | address unallocated
address no existe | address rejected: user | addressee unknown | addressee not found | account does not exist
account doesn't exist | account … does not exist | account … doesn't exist | account not found | account … not found
account unknown | account invalid | account is unavailable | account unavailable | account is not valid
account not available | account … not available | account by that name | account you tried to reach does not exist
accounts unknown | email account … not exist | e-mail account does not exist | name unknown | name not recognized
name not found | non-existent user | non-existent mailbox | non-existent address | non-existent recipient
non existent user | nonexistent user | nonexistent mailbox | non-existing user | does not have an email account
does not have an account | doesn't have an account | do not have an account | can't accept user
couldn't find any user | could not find user | could not find recipient | could not find mailbox | cannot find user
cannot find your user | can't find user | destination addresses were unknown | destination server rejected recipients
sorry, badrcptto | badrcptto | badrecipientto | my badrcptto list | in my badrecipient
sorry, your envelope recipient
envelope recipient has been denied | aliased to no one | delivery to nobody | addr unknown | dest unknown
rcpt unknown | rcpt does not exist | rcpt … does not exist | rcpt … not exist | this address does not receive mail
this spectator does not exist | who are you looking for | unable to find recipient
unable to deliver to recipient: unknown | user or domain … not found | not our user
no thank you rejected: account unavailable | x-unix; 67 | status 67 | exit 67 | (000c05a6) | rcp-p1 | int-p1 | int-p3
int-p4 | vdeliver: invalid | bad destination mailbox address | 5.1.1 bad | empfanger unbekannt | empfanger … unbekannt
empfanger … existiert nicht | empfanger … nicht gefunden | empfanger nicht gefunden | benutzer unbekannt
benutzer … unbekannt | benutzer existiert nicht | benutzer nicht gefunden | unbekannter empfanger
unbekannter benutzer | unbekannte adresse | unbekannte e-mail | adresse existiert nicht | adresse … existiert nicht
adresse unbekannt | adresse ungultig | adresse … nicht gefunden | adresse … ist unbekannt | postfach existiert nicht
postfach … existiert nicht | postfach … nicht gefunden | konto existiert nicht | kein benutzer | utilisateur inconnu
utilisateur … inconnu | utilisateur … introuvable | destinataire inconnu | destinataire … inconnu
destinataire invalide | destinataire introuvable | destinataire n'existe pas | adresse inconnue
adresse … n'existe pas | adresse … introuvable | adresse … invalide | boite … n'existe pas | boite inconnue
compte … n'existe pas | compte inconnu | adresse d au moins un destinataire invalide | non repertorie dans
usuario desconocido | usuario … desconocido | usuario inexistente | usuario no existe | usuario … no existe
usuario … no encontrado | no existe dicha persona | no existe ese usuario | no existe el usuario | no existe la cuenta
no existe el buzon | destinatario desconocido | destinatario no existe | destinatario … no existe | cuenta inexistente
cuenta no existe | cuenta … no existe | direccion … no existe | direccion inexistente | direccion … no se encontro
direccion desconocida | buzon inexistente | buzon no existe | no se encontro la direccion | no se encuentra el usuario
usuario desconhecido | destinatario inexistente
usuario nao existe | usuario … nao existe | usuario … nao encontrado | usuario nao encontrado
usuario invalido | destinatario desconhecido | destinatario nao encontrado | destinatario … nao existe
conta inexistente | conta nao existe | conta … nao existe | endereco … nao existe | endereco nao encontrado
endereco … nao encontrado | endereco inexistente | caixa postal inexistente | caixa postal nao existe
utente sconosciuto | utente … sconosciuto | utente inesistente | utente … inesistente | utente non trovato
utente … non esiste | nessun utente | destinatario sconosciuto | destinatario inesistente | indirizzo inesistente
indirizzo … inesistente | indirizzo sconosciuto | indirizzo … non esiste | indirizzo … non trovato
casella inesistente | casella … inesistente | casella … non esiste | account inesistente | gebruiker onbekend
onbekende gebruiker | gebruiker bestaat niet | adres bestaat niet | adres … bestaat niet | adres … niet gevonden
onbekende geadresseerde | nieznany uzytkownik | uzytkownik nie istnieje | konto nie istnieje | adres nie istnieje
skrzynka nie istnieje | nieznany adresat | okand anvandare | okand mottagare | adressen finns inte | ukendt bruger
ukendt modtager | ukjent mottaker | kayttajaa ei | tuntematon vastaanottaja | kullanici bulunamadi | alici bulunamadi
neznamy uzivatel | uzivatel neexistuje | schranka neexistuje | ismeretlen felhasznalo | пользователь не найден
пользователь … не найден | пользователь … не существует | пользователя не существует | нет такого пользователя
неизвестный пользователь | неизвестный адрес | неизвестный получатель | получатель не найден | получатель … не найден
получателя не существует | адресат не найден | адрес … не существует | адрес не найден | адреса не существует
ящик не существует | ящик … не существует | ящика не существует | ящик не найден | ящик … не найден
несуществующий адрес | несуществующий ящик | несуществующий пользователь | ユーザーが見つかりません
ユーザが見つかりません | ユーザーは存在しません | ユーザは存在しません | ユーザー … 存在しません | 宛先が見つかりません
宛先 … 見つかりません | 宛先 … 存在しません | 宛先不明 | 宛先アドレス … 存在し | アドレス … 存在しません
アドレス … 存在しない | アドレス … 見つかりません | アドレスが見つから | アドレス … 間違 | 該当するユーザ
ディレクトリには見つかりません | ディレクトリのリストにありません | ディレクトリ … ありません | 受信者 … 見つかりません
受信者 … 存在しません | 用户不存在 | 用户 … 不存在 | 用户未找到 | 用户找不到 | 没有此用户 | 没有该用户 | 无此用户
无该用户 | 收件人不存在 | 收件人 … 不存在 | 收件人地址 … 不存在 | 收件人邮箱不存在 | 找不到收件人 | 邮箱不存在
邮箱 … 不存在 | 邮箱地址不存在 | 邮件地址不存在 | 地址不存在 | 账户不存在 | 帐号不存在 | 帐户不存在 | 用戶不存在
使用者不存在 | 收件者不存在 | 수신자를 찾을 수 없 | 존재하지 않는 | unknown local user | not in domino directory
can not find account | cannot find account | can't find account | no user here | no user with | no user by
no user found | no user named | no account here | no account by | no account with | no account found | user … unknown
""",
)

USER_UNKNOWN_VAGUE = make_rule(
    Reason.USER_UNKNOWN,
    """
mailbox unavailable | mailbox is unavailable | mailbox … unavailable | mailbox unavaiable
mailbox currently unavailable | unrouteable address | unroutable address | unrouteable recipient
unroutable recipient
recipient rejected | recipient refused | recipient is not accepted | recipient not accepted | recipient not allowed
recipient address rejected | recipient … has been denied | recipient denied | recipients was undeliverable
remote smtp server has rejected address | remote server rejected address | invalid, unknown | does not exist
doesn't exist | do not exist | not exist | not known | was not found | wasn't found | could not be found
couldn't be found | address rejected | address was rejected | undeliverable address | undeliverable recipient
unable to deliver message to * | no such object | * not found | * … not found | * unknown | * invalid | not found *
existiert nicht | n'existe pas | no existe | nao existe | non esiste | bestaat niet | nie istnieje | не существует
не найден | 存在しません | 見つかりません | 不存在 | does not like recipient | doesn't like recipient
""",
)

HOST_UNKNOWN = make_rule(
    Reason.HOST_UNKNOWN,
    """
host unknown | unknown host | host or domain name not found | host name not found | host not found
host host not found | host host does not exist
hostname not found | hostname unknown | couldn't find any host | could not find any host
couldn't find a mail exchanger | could not find a mail exchanger | couldn't find mx | couldn't find any mx
no such host | no such domain | no mx or a record | no mx record found | no mx found | no mx hosts | no mx for
no a or mx | no valid mx | no valid a or mx | no mail exchanger | no mail server for | mx record not found
could not resolve host | couldn't resolve host | unable to resolve host | unable to look up host | cannot resolve host
can't resolve host | nonexistent domain | nonexistentdomain | non-existent domain | non-existing domain
non-existent host | nonexistent host | domain unknown | domain name unknown | domain not found | domain name not found
domain name does not exist | domain does not exist | domain doesn't exist | domain * does not exist
domain … does not exist | domain … doesn't exist | domain … couldn't be found | domain … not found | domain must exist
domain is not reachable | domain is invalid | domain invalid | domain isn't valid | domain … doesn't have any dns
domain … has no mail servers | domain … isn't configured to receive | recipient domain not found
recipient address rejected: domain not found | recipient address rejected: unknown domain
recipient's domain … not exist | destination domain … not exist | unknown domain | unknown mail domain
invalid domain
bad domain | bad destination system | bad destination host | bad host name
mail domain mentioned in email address is unknown | name or service not known | nodename nor servname | nxdomain
x-unix; 68 | the account or domain may not exist | all relevant mx records point to non-existent hosts
all host address lookups failed permanently | dns error: domain name not found
dns error: dns server returned answer with no data | dns error: … nxdomain | dns error: … domain name not found
dns domain … does not exist | dns.nonexistentdomain | dns lookup … no such domain | dns query … nonexistent
domain … error from dns | remote domain doesn't exist | remote domain doesnt exist | could not find a gateway
couldn't find a gateway | no gateway for | address has no dns | no dns records | dns records for … could not be found
domain name … does not appear to be registered | illegal host/domain name | illegal host or domain
failed to resolve … address | does not resolve to a valid | no address record found | unrouteable mail domain
unroutable mail domain | unrouteable domain | unroutable domain | unable to route to domain | no route to domain
no route for domain | domain … nicht gefunden | domain … existiert nicht | domain existiert nicht | domaine inconnu
domaine … n'existe pas | domaine inexistant | dominio no existe | dominio … no existe | dominio desconocido
dominio inexistente | dominio … inesistente | dominio … nao existe | dominio nao encontrado | домен не найден
домен … не существует | ドメインが見つかりません | ドメイン … 存在しません | ホストが見つかりません | 域名不存在
找不到域名
""",
)

NULL_MX = make_rule(Reason.NO_MAIL_HOST, "nullmx | null mx | (null mx)")
"""RFC 7505, whatever else is said of it."""

NO_MAIL_HOST = make_rule(
    Reason.NO_MAIL_HOST,
    """
domain does not accept mail | domain … does not accept mail
domain … doesn't accept mail | host does not accept mail | host/domain does not accept mail
server does not accept mail | server does not accept email | does not accept any mail
mx or srv record indicated no smtp service | no host found for existing smtp connection
this domain is not hosted here | domain not hosted | domain is not hosted | domain is no longer hosted
domain … no longer | domain is not in use | domain not in use | domain is parked | domain has expired | domain expired
dead domain | name server: .: host not found | no smtp service here | no smtp service
this host does not receive mail
not configured to receive mail | account inbounds disabled
""",
)
