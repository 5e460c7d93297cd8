"""What servers say when machines or networks fail: time-outs, loops, full disks, programs that crash.

From the standards' own texts (RFC 3463), and the texts in the sources of Postfix, Exim, Sendmail, qmail and Courier.
` | ` separates phrases; see `matching` for their form.
"""

from newsletter.mail.reports.matching import make_phrases, make_rule
from newsletter.model.bounce import Reason

LOOP = make_rule(
    Reason.LOOP,
    """
too many hops | hop count | maximum hop | loops back to | loop back to | mail loop | mail forwarding loop
forwarding loop | routing loop | message loop | message is looping | message looping | looping: it already
delivered-to line | suspected mail loop | mail loop detected | loop detected | loop broken | loop was found
loop condition | loop alert | probable loop | possible loop | is looping | exceeded … hops | config error: mail loops
best-preference mx | listed as a best | remote host address is the local host | bounce between two servers | mxloopback
duplicated message-id
""",
)

LOOKUP_FAILED = make_rule(
    Reason.NETWORK,
    """
host not found, try again | host not found; try again | try again: host not found
temporary failure in name resolution | temporary name resolution | name lookup failed temporarily | name server timeout
name server … lookup failure | host name lookup failure | hostname lookup failure | lookup failure … try again
lookup did not complete | lookup of host … failed | malformed name server | malformed or unexpected name server
name service error … try again | dns lookup failed | dns lookup failure | dns error: could not contact
could not contact dns | dns timeout | dns failure | dns server failure | dns query failed | dns servers … not respond
servfail | temporary dns | temporarily unable to look | temporarily unable to resolve | unable to resolve route
no route found to | dns violates rfc | could not complete … lookup
""",
)

AMBIGUOUS = make_rule(
    Reason.SYSTEM,
    """
several matches found | not unique | ambiguous recipient | ambiguous address | resolver.adr.ambiguous
""",
)

SYSTEM_FULL = make_rule(
    Reason.SYSTEM_FULL,
    """
insufficient system | mail system full | system storage | no space left on device | disk full | disk is full
file system full | filesystem full | filesystem is full | not enough system | out of disk | spool … full
queue file write error | requested mail action aborted: exceeded | insufficient resources | low on space
insufficient system resources
""",
)

NETWORK = make_rule(
    Reason.NETWORK,
    """
connection refused | connection was refused | connection reset | connection timed out | connection timeout
connection lost | connection dropped | connection was dropped | connection closed | connection failed | connection died
connection aborted | connection unexpectedly | connection to … failed | connect failed | connect to … refused
connect to … timed out | connect to … unreachable | unable to connect | could not connect
did not accept our requests to connect | couldn't connect | can't connect | cannot connect | cannot be contacted
could not be contacted | couldn't be contacted | cannot contact | failed to connect | failed connection
lost connection | no route to host | no route | network is unreachable | network unreachable | network error
network problem | host unreachable | host is unreachable | host not reachable | host is not reachable | host is down
host down | not reachable | unreachable | is not responding | not responding | not respond | no response | no answer
didn't answer | did not answer | timed out | time out | timeout | conversation with | operation timed out
wasn't able to establish | smtp connection failed | smtp session failed | communication problem | communication failure
communications problem | greeting failed | ended early | bad connection | no smtp connection got far enough
servers are down | server … down | retry time not reached | all hosts … have been failing | zeituberschreitung
nicht erreichbar | verbindung | connexion impossible | tiempo de espera | conexion | タイムアウト | 接続 | 连接 | 超时
недоступен
""",
)

SYSTEM = make_rule(
    Reason.SYSTEM,
    """
system error | system config | configuration error | config error | configuration problem | misconfigured
internal error | internal server error | internal failure | internal problem | local error | local problem
local configuration | local delivery failed | temporary local | temporary failure | temporary error | temporary problem
temporary system | temporary authentication | temporarily unavailable | temporarily unable | temporarily failed
temporarily deferred | temporarily rejected | temporarily not available | temporary rejected | temporary delay
mail transport unavailable | service unavailable | service currently unavailable | service not available
service is unavailable | service temporarily | server unavailable | server busy | system busy | system is busy
system overload | overloaded | too busy | high load | load average | try again later | try later | please retry
retry later | resources temporarily | maintenance | shutting down | shutdown | closing transmission | server error
server failure | software error | unexpected error | unexpected failure | unknown error | unspecified error
unknown mailer error | mailer error | command died | command failed | command output | command time | exit status
exit code | exited with | died with status | x-unix; | procmail | maildrop | pipe to | deliver to pipe
delivery to pipe forbidden | delivery to file forbidden | can't create | cannot create | can't open | cannot open
unable to open | cannot update | i/o error | input/output error | interrupted system call | queue file | storedrv | mdb
store driver | ldap | database | directory server | error while being processed | error in processing | local error in
lmtp error | qmail-inject | aliasing | bad interpreter | deferred | defer | delivery agent | no such file or directory
could not load | rejected temporarily | veuillez essayer plus tard | voruber | vorubergehend | spater | temporar
つながり | 一時的
""",
)

EXPIRED = make_rule(
    Reason.EXPIRED,
    """
delivery time expired | message expired | message has expired | message timed out | delivery expired | queue.expired
queue expired | retry timeout exceeded | retry limit | too long in queue | in the queue too long | in queue too long
been in the queue | sitting in queue | on the queue too long | queue lifetime | queue period | maximum time in queue
expired after | delivery timeout | delivery failed … attempts | unable to deliver message after
could not be delivered for more than | could not be delivered within | not be delivered within
was not delivered within | couldn't be delivered for | has been failing for | have been failing for
for more than … hours | giving up | gave up | tried for | not been collected after | cannot send message within
cannot send message for | could not send message for | unable to deliver for | multiple retries | several attempts
repeated attempts | maximum number of attempts | maximum retries | max retries | has been frozen | frozen on arrival
""",
)

PROTOCOL = make_rule(
    Reason.PROTOCOL,
    """
syntax error | command unrecognized | command not recognized | unrecognized command | command not implemented
not implemented | bad sequence | out of sequence | invalid command | invalid argument | parameters | bad command
bad syntax | no recipients have been specified | rcpt first | mail first | polite people | pipelining | protocol error
protocol failure | server does not support auth | angle-brackets | malformed address | expected word | source-routed
""",
)

DELAYED = make_phrases(
    """
warning message only | warning only | this is a warning | this is just a warning | only a warning | this is an advisory
advisory-only | not yet been delivered | not been delivered yet | hasn't been delivered yet | still undelivered
still not delivered | still being retried | still trying | will keep trying | will continue to try | continue trying
will continue to be made | attempts will continue | attempts to deliver … will continue | attempts will be made
will be retried | will be tried again | will retry | we'll keep trying | has been delayed | is being delayed
was delayed | is delayed | delivery delayed | delivery is delayed | has been postponed | delays in delivering
delayed mail | delivery delay | do not need to resend | don't need to resend | do not resend
no action is required on your part | you do not need to take any action | no need to resend | delayed for more than
could not send message for past | temporarily undeliverable | delivery status notification (delay) | message delayed
message still undelivered | noch nicht zugestellt | verzogert | verzogerung | weitere zustellversuche | pas encore ete
retardee | retarde | differe | aun no se ha | retrasad | demorad | atrasad | ritard | vertraagd | opoznion | задерж
еще не доставлено | 遅延 | 遅れ | まだ配信 | 再送 | 延迟 | 稍后重试
"""
)

GIVEN_UP = make_phrases("envelope expired")
"""What OpenSMTPD says when it gives a mail up, and calls `delayed` all the same; of a true delay it tells the error."""

DONE_TRYING = make_phrases(
    """
delivery failed | failed permanently | permanent failure | permanent error | permanent fatal | permanently failed
not be delivered to one or more | gave up | giving up | will not be retried | no further attempts
no longer be retried | returned to sender | undeliverable | retry timeout exceeded | i'm not going to try again
not delivered to
"""
)
