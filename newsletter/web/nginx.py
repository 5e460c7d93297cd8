"""A configuration of nginx as the front of this server: TLS and HTTP/2; everything else is handed on. Pure.

Files are handed on, too: the server is about as fast with them itself (ARCHITECTURE.md has the figures), and there is
one place that knows types, validators, caching and security headers.
"""

from urllib.parse import urlsplit

from newsletter.config import Settings
from newsletter.web.guard import LARGEST_CALL

_FRONT = """\
# nginx before `newsletter serve`, made from your settings. Put it into a file in /etc/nginx/conf.d/, correct the paths
# of the certificate, and run: nginx -t && systemctl reload nginx
{advice}
map $remote_addr ${name}_node {{
    ~: "[$remote_addr]";
    default $remote_addr;
}}

upstream {name} {{
    server {upstream};
    keepalive 32;
}}

server {{
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    server_name {host};
    ssl_certificate /etc/letsencrypt/live/{host}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{host}/privkey.pem;
    # nginx would write down who asked, and the links of readers, in both of its logs and in files for what it is sent;
    # `newsletter serve` writes a log without either.
    access_log off;
    error_log /var/log/nginx/error.log emerg;
    client_max_body_size {largest};
    client_body_buffer_size {largest};

    location / {{
        proxy_pass http://{name};
        proxy_http_version 1.1;
        proxy_max_temp_file_size 0;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Forwarded '{forwarded}';
    }}
}}

server {{
    listen 80;
    listen [::]:80;
    server_name {host};
    access_log off;
    error_log /var/log/nginx/error.log emerg;
    return 308 https://$host$request_uri;
}}
"""
_BELIEVE = """\
# And write into config.toml, so that limits are kept for each visitor and not for all of them together:
#   [web]
#   trusted_proxies = ["127.0.0.1"]
"""


def compose_nginx(settings: Settings) -> str:
    """Return the configuration for these settings."""
    web = settings.web
    # Whoever comes by the Unix socket is believed already.
    believed = web.socket is not None or bool(web.trusted_proxies)
    host = urlsplit(settings.publication.url).hostname or "localhost"
    name = f"newsletter_{''.join(sign if sign.isalnum() else '_' for sign in host)}"
    return _FRONT.format(
        advice="" if believed else _BELIEVE,
        name=name,
        host=host,
        largest=max(web.body_kb * 1024, LARGEST_CALL),
        upstream=f"unix:{web.socket}" if web.socket else f"{web.host}:{web.port}",
        forwarded=f'for="${name}_node";proto=$scheme' if web.proxy_header == "forwarded" else "",
    )
