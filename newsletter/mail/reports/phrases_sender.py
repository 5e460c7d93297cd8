"""What servers say when it is about the sender, the mail or the relay: reputation, authentication, rate, content.

From the standards' own texts (RFC 5248, 7372), what Google, Microsoft, Yahoo, Orange, GoDaddy, Cox, Mimecast,
Proofpoint, Barracuda and Symantec document that they answer, and the texts of Postfix, Exim, Sendmail, SpamAssassin,
Amavis and Rspamd. ` | ` separates phrases; see `matching` for their form.
"""

from newsletter.mail.reports.matching import make_rule
from newsletter.model.bounce import Reason

AUTHENTICATION = make_rule(
    Reason.AUTHENTICATION,
    """
dmarc policy | dmarc check | dmarc verification | dmarc fail | dmarc authentication | dmarc evaluation | dmarc reject
dmarc record | failed dmarc | fails dmarc | does not pass dmarc | per dmarc | violates dmarc | by dmarc | dmarc sender
dmarc en echec | due to dmarc | dmarc unauthenticated | p=dmarcrejection | sender policy framework | spf fail
spf check | spf record | spf unauthorized | spf hard | spf permerror | spf permanent | spf validation
spf sender invalid | spf domain | spf violation | spf softfail | spf: fail | spf authentication | spf/dkim | spf/dns
spf or dkim | fails spf | failed spf | fail spf | spf … fail | spf settings | spf policy | openspf | spf.pobox.com
spf: … is not allowed | spf mismatch | violates spf | does not pass spf | must pass either spf | does not designate
not permitted by domain | not a permitted | not permitted to send mail from | domain's spf | dkim sign | dkim fail
dkim check | dkim verif | dkim valid | dkim sender invalid | dkim does not pass | dkim authentication | dkim policy
failed dkim | no passing dkim | dkim: fail | authenticate with either spf | authenticate with spf
authenticate with dkim | authenticate their email with | mail is unauthenticated | unauthenticated email from
unauthenticated mail is prohibited | sender is unauthenticated | sender id fail | senderid
domain authentication fail
fails to pass authentication | failed authentication checks | authentication checks failed | has not passed validation
can't determine purported responsible | not authorized to send on behalf | not allowed to send from
is not allowed to send mail from | from domain mismatch | mismatches client ip | invalid ip for sending mail of domain
wrong ip for | ip name lookup failed | cannot find your hostname | cannot find your reverse hostname
cannot resolve your address | can't resolve your address | cannot resolve your ip | client host rejected: cannot find
client host rejected: may not be mail exchanger | reverse dns | reverse-dns | reverse lookup | reverse hostname | rdns
no ptr | ptr record | missing ptr | invalid ptr | dns ptr | generic ptr | ptr-record | ptr resource
unresolvable relay host name | unverifyable sending ips | forward-confirmed | forward confirmed | forward dns entry
fcrdns | helo command rejected | helo rejected | bad helo | invalid helo | helo/ehlo | ehlo argument
hosts with dynamic ip | dynamic ip | aup#cxsndr | aup#cxdns | iprev check | ofr … _401 | lpn … _401 | ofr … _517
lpn … _517 | ib508 | ib108 | dns-p3 | dns-t2 | batv | anti-spoofing | antispoofing | spoofed | spoofing | arc seal
""",
)

REPUTATION = make_rule(
    Reason.REPUTATION,
    """
blacklist | black list | black-list | blocklist | block list | blocked list | blocked-list | denylist | deny list
blackhole list | black hole list | realtime block | real-time block | rbl reject | rbl restriction | rbl block
blocked by rbl | listed in rbl | listed on rbl | in an rbl | in rbl | rbl: | rbl- | rbl) | (rbl | dnsbl | ipbl
uceprotect | dul.dnsbl | dsbl.org | spamhaus | spamcop | barracudacentral | abuseat.org | sorbs.net | sorbs
senderscore | invaluement | surriel | njabl | mailspike | senderbase | cloudmark | talosintelligence | ipremoval
dnsbl-lookup | bl.spam | psbl | reputation | trustworthiness | blocked using | refused using | blocked - see http
refused - see http | blocked; see | blocked. see http | blocked see http | blocked for abuse | blocked for spam
blocked due to spam | blocked because of spam | block for spam | blocked by earthlink | blocked by outlook
blocked by google | blocked by yahoo | blocked by at&t | blocked by our | banned sending ip | banned sender
banned ip
ip banned | is banned | bad sender ip | ip is blocked | ip has been blocked | ip address is blocked
ip address has been blocked | ip address … blocked | ip … is blocked | ip … blocked | ip … banned | ip … rejected
ip address rejected | ip not in whitelist | your ip | from your ip | sender ip | sending ip | originating ip
source ip | client ip | connecting ip | mail server ip | adresse ip | server ip … listed | ip address is listed
is listed in | is listed on | is listed at | listed at | listed by | part of their network is on our block
network is temporary | host network not allowed | host network, not allowed | mail server … is blocked
server … is blocked | mail from your server | messages from your server | your mail server has been
your mail server is | your server is | access from … blocked | access denied … ip | client host rejected: abus
client host blocked | client host … blocked | client blocked | client … blocked | host blocked | host is blocked
host … blocked | your host is | your host … blocked | your host has been | your network | open relay | open proxy
which is an open | looks suspiciously like spammer | sending spam | spam source | source of spam | spam sources
spammer | known spam | spam ips | zombied | compromised | botnet | exploited | server is infected
suspicious activity
unfortunately, messages from | messages from … weren't sent | will be permanently deferred
connections not accepted from | connections will not be accepted | not accepting messages from your mail server
not accepting mail from your | not currently accepting mail from your | no access from mail server
not allowed to connect | not permitted to connect | do not accept mail from dynamic | mail from … refused
refuse mail from your | go away | bad karma | smtp connection refused by policy | requested … confirm this mail server
confirm this mail server | your server requires confirmation | get lost | please use the smtp server of your isp
use your isp | use the smtp relay at your service provider | user complaints | too many complaints
excessive complaints | too many unwanted | too many spams from | too many invalid recipients | ofr … _102 | lpn … _102
lpn … _101 | ofr … _103 | ofr … _510 | lpn … _510 | ofr … _999 | ib103 | ib104 | ib105 | ib106 | ib110 | ib111 | ib112
ib113 | aup#cxbl | aup#cdrbl | pol-p1 | pol-p2 | pol-p3 | pol-p4 | s3150 | s3140 | [bl21] | [bl23] | [ts | tss0 | cs01
hvu:b | rly:b | dnsbl:attrbl | blocked by … as spam source | currently sending spam | 550 blocked | 554 blocked
:blocked | denied [bouncedeny]
""",
)

RATE_LIMITED = make_rule(
    Reason.RATE_LIMITED,
    """
rate limit | rate-limit | ratelimit | rate exceeded | rate has been exceeded | at a rate that | exceeded the rate
sending rate | sending limit | sending quota | message quota exceeded | daily quota | hourly quota | daily limit
hourly limit | per hour | per minute | per day … exceed | exceeded … per hour | max emails per | throttl | too quickly
too fast | too frequently | slow down | try again slower | too many connections | too many concurrent
too many simultaneous | too many sessions | too many smtp sessions | too many conn | too many emails | too many mails
too many messages | too many recipients | too many rcpt | too many errors from | too many requests
too many deliveries | too much mail from | too many incorrect | connection limit | connection rate | connections limit
concurrent connection | concurrency limit | maximum connection | max message per connection | message threshold
number of connections | number of messages per | frequency limited | frequency of receiving messages | sent too many
exceeded the maximum number of messages | unusual rate | unusually high | unexpected volume | unsolicited rate
excessive rate | excessive volume | excessive email | high volume | volume limit | flood | trop de connexions
trop de messages | trop de destinataires | envoye trop | con-t | numerous attempts to deliver
we have limits for how many | exceeds … limit of messages | limit on the number of | ofr … _104 | lpn … _104 | ib007
ib504 | ib510 | ib607 | ib605 | ib101 | aup#cxcnct | aup#cxmxrt | rcpt_rate | msg_rate | receiving limit
receiving mail at a rate | resources restricted | 4.7.28
""",
)

SENDER_REFUSED = make_rule(
    Reason.SENDER_REFUSED,
    """
sender address rejected | sender address blocked | sender address has been | sender address refused
sender address invalid | sender address … invalid | sender address … rejected | sender address … does not exist
sender address … not | sender rejected | sender was rejected | sender refused | sender denied | sender blocked
sender is blocked | sender not allowed | sender not authorized | sender not pre-approved | sender not permitted
sender not accepted | sender unknown | sender … unknown | sender invalid | sender is invalid | sender … not exist
sender domain | sender's domain | sender email address | senders domain | sender … blocked | sender … refused
sender … rejected | sender … denied | sender verify | sender verification | sender callout | senders not allowed
unable to verify sender | could not verify sender | cannot verify sender | can't verify sender | verify your sender
verification failed for | domain of sender | domain of your sender | originator | originating address | invalid sender
bad sender | unknown sender | unroutable sender | unrouteable sender | forged sender | blocked sender
blocked senders
rejected sender | fake sender | null sender | empty sender | <> invalid sender | empty envelope sender
emetteur invalide | envelope sender | envelope from | envelope blocked | envelope rejected | from address
from: address | from: domain | from header | header from | mail from command | mail from not owned | bad from
bogus mail from | from your domain | from your address | mail from … denied | your address has been | your address is
your email address has been | your e-mail address has been | your domain | your email domain | unresolvable rfc.5321
rfc5321.mailfrom | valid address in the from | email address is not verified | identity … not verified
address is not verified | address not verified | message rejected: email address | mx records for | recursive cname
fully qualified email address required | envelope blocked - | rule imposed mailbox access | returned mail not accepted
bounces not accepted | no third-party dsns | does not accept bounces | unsigned dsn | dsn not accepted
dsns not accepted | mailer-daemon not | not a registered gateway | backscatter | you are sending to/from an address
ofr … _403 | ofr … _405 | ofr … _415 | lpn … _405 | lpn … _421 | ib501 | ib502 | ib506 | dns-p1 | dns-p2 | dns-t1
connected to … but sender was rejected | after mail from | in reply to mail from | smtp:mail
""",
)

SPAM = make_rule(
    Reason.SPAM,
    """
as spam | is spam | be spam | spam message | spam content | spam detect | spam filter | spam email | spam e-mail
spam mail | spam check | spam block | spam score | spam points | spam threshold | spam level | spam rejection
spam refused | spam not | spam or virus | spam/virus | spam engine | spam url | spam limit | spam policy | spam found
spam classif | spam checks | spam rule | spam-like | spam like | spam contents | spam … exceeded | spam denied
spamassassin | spamprofiler | spambouncer | spamtrap | spamming | spam. | spam; | spam, | (spam) | spam (| "spam"
[spam] | - spam | : spam | no spam | spamming not allowed | anti-spam | antispam | anti spam | too much spam
looks like spam | like spam | similar to spam | considered spam | consider spam | probable spam | probably spam
possible spam | suspected spam | possibly spam | definite spam | high probability | likely spam | contains spam
reports spam | accept spam | against spam | for spam | of spam | unsolicited | unwanted email | unwanted mail
bulk mail | bulk email | bulk e-mail | bulk.advertis | junk mail | junk email | junk e-mail | ube, | (ube)
ube detected | mass mailer | mass mailing | phish | scam | uribl | surbl | urlbl | url blacklist | blacklisted url
blocked url | dbl.spamhaus | content filter rejection | recurrent pattern | classified as | bayes | rspamd | dspam
gtube | message looks | message scored | message was rejected due to classification | 554 5.7.0 reject, id=
reject, id= | message filtered | message was filtered | triggered
message blocked | message was blocked | mail blocked | email blocked | mail rejete | mail rejected. ofr
ofr … _506 | lpn … _506 | ib212 | unerwunscht | non sollicite | indesirable | nevyzadana | спам
нежелательн | спамом | 迷惑メール | スパム | 垃圾邮件 | 垃圾信 | 广告
""",
)

VIRUS = make_rule(
    Reason.VIRUS,
    """
virus | infected with | malware | trojan | malicious | ib705 | pol-p5 | ウイルス | ウィルス | 病毒 | вирус
executable attachment | dangerous attachment | suspicious attachment
""",
)

CONTENT = make_rule(
    Reason.CONTENT,
    """
illegal attachment | attachment type | attachment … not allowed | attachment … blocked | attachment … forbidden
attachment extension | attachments are not | banned attachment | banned file | blocked attachment
prohibited attachment | forbidden attachment | executable files are not allowed | file type
images or other attachments | attachment that | mime error | mime complexity | malformed mime | invalid mime
mime headers | content-type … not | unnecessary base64 | improperly-formatted binary | content conversion
conversion failed | conversion to internet format | media not supported | content restriction | content policy
content filter | content examination | content check | content violat | content presents | content error
content rejected | rejecting mail content | banned content | mail content denied | unacceptable content
content not accepted | cannot be accepted due to content | invalid message content | message content | html content
data format error | header count | header size
header error | header are not accepted | message header size | duplicate header | too many received | bad header
invalid header | malformed header | missing header | msg-p2 | msg-p3 | pol-p6 | pol-p7 | text that uses | profanity
offensive | inappropriate | charset | character set
""",
)

TOO_LARGE = make_rule(
    Reason.TOO_LARGE,
    """
message too large | message too big | message is too large | message is too big | message file too big
message file too large | message … too large | message … too big | message length exceeds | message size exceeds
message size exceed | message size … exceed | size of … exceed | message … exceeds … size | message … exceeded … size
message exceeds | exceeds maximum message size | exceeds message size | exceeds the maximum message size
exceeds fixed | exceeds the size | exceeds size limit | exceeds … size limit | exceeded maximum inbound message size
exceed maximum message size | maximum message size | max message size | maximum email size | maximum allowed size
maximum size allowed | maximum size the user accepts | message size limit | mail size limit | email size limit
size limit exceeded | size limits | size limit | size exceeded | size restriction | size exceeds | message exeeded
mail too large | mail is too large | email too large | e-mail too large | too large for | larger than the maximum
larger than the current | larger than allowed | my databytes limit | recipsizelimit | line limit exceeded
line too long | lines too long | zu gross | zu groß | zu grosse | taille limite | trop volumineux | trop gros
trop grand | demasiado grande | muito grande | troppo grande | te groot | слишком больш | サイズ … 超 | サイズが大き
太大 | 超过大小 | msg-p1 | int-p2
""",
)

NOT_COMPLIANT = make_rule(
    Reason.NOT_COMPLIANT,
    """
rfc 5322 | rfc 2822 | rfc5322 | rfc2822 | rfc 822 | rfc compliant | rfc-compliant | rfcmessagenoncompliant
not compliant | non-compliant | noncompliant | bare lf | bare linefeed | bare line feed | bare cr | bare newline
bare <lf> | stray newline | bare carriage | 8-bit data in | 8bit data | eight bit | 8bitmime | smtputf8 | non-ascii
message-id header | missing message-id | multiple … header | duplicate … header | no date header | missing date
missing a valid | invalid characters | illegal characters | multiple addresses | valid from header | improper use
syntax of header | message format | not in valid format
""",
)

GREYLISTED = make_rule(
    Reason.GREYLISTED,
    """
greylist | graylist | grey list | gray list | grey-list | gray-list | greylisted | grey listed | postgrey
first contact | first time sender | please try again in | try again in … seconds | try again in … minutes
retry in … seconds | temporarily deferred - please | early retry | come back later | retry later, greylisting
not yet authorized to deliver | unverified address: address verification in progress
address verification in progress
""",
)

RELAYING_DENIED = make_rule(
    Reason.RELAYING_DENIED,
    """
relay access denied | relay denied | relay not permitted | relay is not permitted | relay not allowed
relay prohibited | relay from … denied | relay for | relaying denied | relaying is not | relaying not
relaying prohibited | relaying to | relaying mail to | unable to relay | can't relay | cannot relay | not relay
no relay | won't relay | refuse to relay | relay refused | relay rejected | not permitted to relay
not allowed to relay | not authorized to relay | denied relay | as a relay | relay through | relay mail | mail relay
insecure mail relay | not an open relay | open relay not allowed | relay operation | relay is disabled
relay disabled
invalid credentials for relay | list of allowed rcpthosts | list of allowed rcpthost | allowed rcpthosts | rcpthosts
we don't handle mail for | do not handle mail for | don't accept mail for | not a gateway | not local host
not local domain | non-local recipient | non-local e-mail | not our domain | domain not local | domain is not local
not a local domain | not in my list of | not in our list of | not configured to relay
not permitted to send mail to non-local | domain isn't allowed to be relayed | isn't allowed to be relayed
external recipients | outside the local domain | no such domain here | domain not served | domain is not served
don't serve | attr5 | attr36 | 5.7.64 tenantattribution
""",
)

ENCRYPTION = make_rule(
    Reason.ENCRYPTION,
    """
requires tls | requires encryption | require tls | tls required | tls is required | tls not | tls negotiation
tls handshake | tls connection | does not support tls | starttls | ssl negotiation | ssl handshake | certificate
encryption needed | encryption required | encryption is required | encryption not supported | must issue a starttls
high-strength ciphers | tlsa | dnssec | mta-sts | cryptographic
""",
)

POLICY = make_rule(
    Reason.POLICY,
    """
policy reasons | policy reason | policy violation | policy rejection | policy reject | rejected by policy
denied by policy | refused by policy | blocked by policy | local policy | security policy | security policies
site policy | system policy | administrative policy | organization policy | organizational settings | mail policy
message policy | corporate policy | policy does not | due to policy | against policy | violates policy
policy restriction | policy, | policy. | policy: | administrative prohibition | administratively prohibited
administratively denied | administrator … blocked | access denied | access is denied | permission denied
delivery not authorized | not authorized | not authorised | unauthorized | authentication required
authentication is required | authentication failed | authentication fail | auth required | must authenticate
smtp authentication | smtp auth | authenticate or | you don't authenticate | authentification | was not authenticated
credentials
""",
)

REFUSED = make_rule(
    Reason.POLICY,
    """
blocked | not accepted | is not accepting | message refused | message rejected | message was rejected | message denied
message not accepted | message not allowed | mail rejected | mail refused | mail not accepted | mail denied
mail … rejected | mail was rejected | mail server rejected | email rejected | e-mail rejected | email not accepted
email refused | rejected for | rejected due | rejected by | rejected as | connection rejected | transaction rejected
transaction failed | delivery refused | delivery denied | delivery prohibited | refused to accept | server refused
refused by | command rejected | request rejected | service refused | service refuse | protocol violation | prohibited
forbidden | not permitted | not allowed | security violation | security reason | security error | geographical
captcha | low priority | virtual … restricted | firewall | verweigert | abgelehnt | abgewiesen | refuse | rejete
rechazado | rechazo | rejeitad | rifiutat | geweigerd | odrzucon | отклонен | отказано | 拒否 | 拒绝 | 拒絕 | 被拒
""",
)
