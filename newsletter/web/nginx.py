"""A configuration of nginx as the front of this server: TLS, files from the disk, everything else handed on. Pure."""

from urllib.parse import urlsplit

from newsletter.config import Settings
from newsletter.web.files import SERVICE_NAMES
from newsletter.web.headers import Nature, compose_headers

_FRONT = """\
# nginx before `newsletter serve`, made from your settings. Put it into a file in /etc/nginx/conf.d/ (it stands inside
# `http`), correct the two paths of certificates, and run: nginx -t && systemctl reload nginx
# With `[web] trusted_proxies = ["127.0.0.1"]` (on a Unix socket: without it), limits are kept for each visitor.
# Files could be served by `newsletter serve`, too, which knows stronger ETags; this way is for the greatest loads.
map $uri $newsletter_caching {{
    default "public, max-age=300, stale-while-revalidate=3600";
    ~\\.(css|svg|png|jpe?g|gif|webp|avif|ico|pdf|woff2)$ "public, max-age=86400";
}}

server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    http2 on;
    server_name {host};
    ssl_certificate /etc/letsencrypt/live/{host}/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/{host}/privkey.pem;

    root {folder};
    charset utf-8;
    charset_types text/html text/css text/plain text/xml application/xml application/rss+xml application/atom+xml;
    types {{
        text/html html; text/css css; text/plain txt; application/xml xml; application/json json;
        image/svg+xml svg; image/png png; image/jpeg jpg jpeg; image/gif gif; image/webp webp; image/avif avif;
        application/x-bibtex bib; application/x-research-info-systems ris; application/pdf pdf; font/woff2 woff2;
    }}
    gzip_static on;  # `newsletter site` writes .gz beside each file; with ngx_brotli also: brotli_static on;
    client_max_body_size {body_kb}k;
    add_header Cache-Control $newsletter_caching;
{headers}

    location ~ /\\. {{ return 404; }}
    location ~ \\.(gz|br)$ {{ return 404; }}
    location = {root}/feed.xml {{ types {{ }} default_type application/rss+xml; }}
    location = {root}/atom.xml {{ types {{ }} default_type application/atom+xml; }}
    location = {root}/feed.json {{ types {{ }} default_type application/feed+json; }}
    location {root}/ {{{alias}
        try_files $uri $uri/index.html @newsletter;
    }}
    location ~ ^{root}/({names})(/|$) {{
        error_page 418 = @newsletter;
        return 418;
    }}
    location @newsletter {{
        proxy_pass http://{upstream};
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Connection "";
    }}
}}

server {{
    listen 80;
    listen [::]:80;
    server_name {host};
    return 308 https://$host$request_uri;
}}
"""


def compose_nginx(settings: Settings) -> str:
    """Return the configuration for these settings."""
    address = urlsplit(settings.publication.url)
    web = settings.web
    guards = dict(compose_headers(Nature.PAGE, web.image_hosts))
    if web.hsts_days:
        guards["strict-transport-security"] = f"max-age={web.hsts_days * 86400}"
    return _FRONT.format(
        host=address.hostname,
        folder=settings.site.folder,
        root=address.path,
        alias=f"\n        alias {settings.site.folder}/;" if address.path else "",
        body_kb=web.body_kb,
        headers="\n".join(f'    add_header {name} "{value}";' for name, value in guards.items()),
        names="|".join(sorted(SERVICE_NAMES)),
        upstream=f"unix:{web.socket}" if web.socket else f"{web.host}:{web.port}",
    )
