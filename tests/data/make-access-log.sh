#!/usr/bin/env bash
# make-access-log.sh [FILE]: how access.log beside this script was made. Serves a small site with
# nginx on loopback ports, visits it with real clients (curl, wget, Python, Perl, Node.js, headless
# Chromium, a bare socket), and writes the first 4,000 lines of nginx's combined log to FILE
# (default: build/access.log). Wants the packages nginx-light curl wget perl nodejs chromium;
# takes a few minutes. Nobody's data is in it: all addresses are 127.0.0.x, all names invented.
set -euo pipefail
cd "$(dirname "$0")/../.."

output=${1:-build/access.log}
lines=4000
port=8390
site=http://127.0.0.1:$port
work=$(mktemp -d)
chmod 755 "$work" # started as root, nginx serves as www-data
mkdir -p "$(dirname "$output")"

stop() {
    [ ! -f "$work/nginx.pid" ] || kill "$(cat "$work/nginx.pid")" || true
    rm -rf "$work"
}
trap stop EXIT

make_site() {
    local root=$work/site page i
    mkdir -p "$root"/{wheel,sluice,img,private,download,empty}
    for page in {,wheel/,sluice/}index wheel/{over,under}shot sluice/gates history; do
        {
            echo "<!doctype html><title>$page</title><link rel=stylesheet href=/style.css>"
            echo "<script src=/app.js></script><h1>$page</h1>"
            for i in 1 2 3 4; do
                echo "<img src=/img/$(((${#page} + i) % 9)).png alt=''>"
            done
            echo '<a href=/>home</a> <a href=/wheel/>wheel</a> '
            echo '<a href=/wheel/overshot.html>over</a> <a href=/sluice/>sluice</a>'
            echo '<a href=/wheel/undershot.html>under</a>'
            echo '<a href=/sluice/gates.html>gates</a> <a href=/history.html>history</a>'
            echo '<a href=/old/wheel>moved</a> <a href=/nowhere.html>gone</a>'
            seq -f "<p>Paragraph %g of $page." $((20 + ${#page} * 3))
        } >"$root/$page.html"
    done
    echo 'body { font: 16px serif; background: url(/img/0.png) }' >"$root/style.css"
    cat >"$root/app.js" <<'JS'
fetch('/api/visit', {method: 'POST', body: location.pathname});
fetch('/download/table.csv', {headers: {Range: 'bytes=0-99'}});
fetch('/search?q=' + encodeURIComponent('Mühle "alt" & neu'), {method: 'HEAD'});
JS
    for i in 0 1 2 3 4 5 6 7 8; do
        { printf '\211PNG\r\n' && head -c $((700 + i * 1900)) /dev/urandom; } >"$root/img/$i.png"
    done
    seq 1 20000 | sed 's/$/,mill,race/' >"$root/download/table.csv"
    head -c 900000 /dev/urandom >"$root/download/film.bin"
    printf 'User-agent: *\nDisallow: /private/\n' >"$root/robots.txt"
    echo secret >"$root/private/notes.txt"
    printf 'miller:{PLAIN}grain\n' >"$work/users"
}

start_nginx() {
    cat >"$work/nginx.conf" <<CONF
pid $work/nginx.pid;
error_log $work/error.log;
worker_processes 1;
events { worker_connections 256; }
http {
    include /etc/nginx/mime.types;
    access_log $work/access.log combined;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    limit_req_zone \$binary_remote_addr zone=slow:1m rate=5r/s;
    server {
        listen 127.0.0.1:$port;
        listen 127.0.0.1:$((port + 1)) http2;
        root $work/site;
        client_max_body_size 64k;
        location /api/ { return 200 '{"ok":true}\n'; }
        location /search { default_type text/html; return 200 '<p>Nothing found\n'; }
        location /old/ { return 301 /wheel/; }
        location /soon { return 302 /history.html; }
        location /private/ { deny all; }
        location /office/ {
            auth_basic office;
            auth_basic_user_file $work/users;
            try_files /index.html =404;
        }
        location /broken { try_files /missing /broken; }
        location /backend/ { proxy_pass http://127.0.0.1:9; }
        location /report { limit_req zone=slow; try_files /history.html =404; }
        location /drip { limit_rate 20k; alias $work/site/download/film.bin; }
    }
}
CONF
    /usr/sbin/nginx -p "$work" -c "$work/nginx.conf"
    curl -sf --retry 20 --retry-connrefused --retry-delay 1 -o /dev/null "$site/robots.txt"
}

# A visitor of its own address: curl ARGUMENT… from 127.0.0.N.
visit() {
    local address=$1
    shift
    curl -s --max-time 20 --interface "127.0.0.$address" "$@" >/dev/null || true
}

visit_with_curl() {
    local round=$1 tag
    local address=$((2 + round % 60))
    visit "$address" "$site/" "$site/style.css" -e "$site/" "$site/wheel/" "$site/img/3.png"
    visit "$address" -L "$site/old/wheel" "$site/soon"
    visit "$address" -r 0-499 "$site/download/table.csv" -e https://example.org/list
    visit "$address" -r 9000000- "$site/download/table.csv"
    visit "$address" -I "$site/history.html" "$site/download/film.bin"
    tag=$(curl -sI "$site/style.css" | tr -d '\r' | awk '/^ETag/ { print $2 }')
    visit "$address" -H "If-None-Match: $tag" "$site/style.css" "$site/style.css"
    visit "$address" -z "2031-01-01" "$site/history.html" "$site/img/1.png"
    visit "$address" -X DELETE "$site/wheel/index.html"
    visit "$address" -X PUT -d grain=12 "$site/download/table.csv"
    visit "$address" -d "grain=rye&kg=$round" "$site/api/orders" -A "mill-app/2.$((round % 5))"
    visit "$address" -X OPTIONS "$site/" -A 'probe "uptime" \ 1.0'
    visit "$address" "$site/nowhere/$round" "$site/private/notes.txt" "$site/empty/"
    visit "$address" --http2-prior-knowledge "http://127.0.0.1:$((port + 1))/sluice/gates.html"
    visit "$address" -0 "$site/robots.txt" -A ''
    visit "$address" -u miller:grain "$site/office/" "$site/office/ledger?year=$((1890 + round))"
    visit "$address" "$site/office/" "$site/broken" "$site/backend/status"
    visit "$address" "$site/search?q=m%C3%BChle&page=$round" "$site/search?q=%22quoted%22+a%20b"
    if [ $((round % 6)) -eq 0 ]; then
        visit "$address" "$site/report?n="{1..12}
        head -c 100000 /dev/zero | visit "$address" --data-binary @- "$site/api/upload"
        visit "$address" "$site/$(head -c 9000 /dev/zero | tr '\0' a)"
        visit "$address" --max-time 1 "$site/drip"
    fi
}

visit_with_wget() {
    local address=$1
    (
        cd "$work"
        wget -q -r -l 2 -e robots=off --bind-address="127.0.0.$address" "$site/" || true
        wget -q -N -p --bind-address="127.0.0.$address" "$site/sluice/" || true
        wget -q --spider --bind-address="127.0.0.$address" "$site/history.html" || true
        rm -rf "127.0.0.1:$port" "127.0.0.1+$port"
    )
}

visit_with_others() {
    local address=$1 junk
    /usr/bin/python3 - "$port" "127.0.0.$address" <<'PYTHON'
import http.client
import sys

client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), source_address=(sys.argv[2], 0))
for path in ["/", "/wheel/", "/history.html", "/download/table.csv", "/gr%C3%BCn", "/a%20b?c=d&e"]:
    client.request("GET", path, headers={"User-Agent": "Python-http.client", "Referer": "/start"})
    client.getresponse().read()
PYTHON
    perl -MHTTP::Tiny -e 'my $web = HTTP::Tiny->new(local_address => $ARGV[1]);
        $web->get("$ARGV[0]$_") for "/", "/robots.txt", "/wheel/undershot.html", "/img/7.png"' \
        "$site" "127.0.0.$address"
    node -e 'Promise.all(["/", "/style.css", "/app.js", "/sluice/"].map(
        (path) => fetch(process.argv[1] + path).then((answer) => answer.text())))' "$site"
    for junk in '\x16\x03\x01\x02\x00\x01\r\n\r\n' 'GET\r\n\r\n' 'HELO mill\r\n\r\n' \
        'GET /wheel/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n' 'GET / HTTP/9.9\r\n\r\n'; do
        exec 3<>"/dev/tcp/127.0.0.1/$port"
        printf '%b' "$junk" >&3
        timeout 2 cat <&3 >/dev/null || true
        exec 3>&-
    done
}

visit_with_chromium() {
    local page
    for page in / /wheel/overshot.html /sluice/gates.html /history.html; do
        timeout 10 chromium --headless --no-sandbox --disable-gpu --disable-background-networking \
            --user-data-dir="$work/chromium" --timeout=1000 \
            --dump-dom "$site$page" >/dev/null 2>&1 || true
    done
}

make_site
start_nginx
round=0
while [ "$(wc -l <"$work/access.log")" -lt "$lines" ]; do
    visit_with_curl "$round" &
    if [ $((round % 4)) -eq 0 ]; then
        visit_with_wget $((70 + round))
    fi
    if [ $((round % 5)) -eq 0 ]; then
        visit_with_others $((140 + round))
    fi
    if [ $((round % 8)) -eq 0 ]; then
        visit_with_chromium
    fi
    wait
    sleep 1
    round=$((round + 1))
done
head -n "$lines" "$work/access.log" >"$output"
echo "$lines lines of $round rounds in $output"
grep -oE '" [1-5][0-9]{2} ' "$output" | sort | uniq -c
