// The schema table: what a route does with a request (proxy, respond, redirect, php, files, …).

#include "conf/schema_objects.hpp"

namespace portero::conf::objects {
namespace {

using namespace values;

constexpr Word balance_words[] = {{"two_random"}, {"random"},   {"round_robin"}, {"least_conn"},
                                  {"ip_hash"},    {"uri_hash"}, {"cookie"}};
constexpr Word proxy_protocol_words[] = {{"v1"}, {"v2"}};
constexpr Word symlink_words[] = {{"inside"}, {"any"}};
constexpr Word side_words[] = {{"br"}, {"zst"}, {"gz"}};
constexpr Word coding_words[] = {{"zstd"}, {"br"}, {"gzip"}};

// --- proxy --------------------------------------------------------------------------------------

constexpr Key proxy_keys[] = {
    {.name = "to",
     .value = some(Form::upstream),
     .doc = "The servers: `host:port`, `http://…`, `https://…`, `unix:/path`, or "
            "`srv://_http._tcp.name`, whose SRV records name hosts and ports.",
     .required = true},
    {.name = "balance",
     .value = word(balance_words),
     .fallback = "two_random",
     .doc =
         "How one is chosen. `two_random` takes the less busy of two drawn by lot; `ip_hash` and "
         "`uri_hash` always the same one, as long as it is in health; `cookie` the one that a "
         "signed cookie names, set with the first answer."},
    {.name = "timeouts", .value = map(proxy_timeouts), .doc = "How long a server may take."},
    {.name = "max_concurrent",
     .value = integer(0, 1'000'000),
     .fallback = "0",
     .doc = "Requests at a time to one server; 0 is no limit. The others wait in `queue`."},
    {.name = "resolve",
     .value = duration(second, day),
     .fallback = "30s",
     .doc = "How often host names are looked up again."},
    {.name = "tls", .value = map(proxy_tls), .doc = "How `https://` servers are verified."},
    {.name = "headers_up", .value = map(headers), .doc = "Changes to the request's header fields."},
    {.name = "headers_down",
     .value = map(headers),
     .doc = "Changes to the answer's header fields."},
    {.name = "health",
     .value = map(health),
     .doc = "Watches the servers. Without it a server that refuses connections is passed over for "
            "two seconds."},
    {.name = "retries",
     .value = map(retries),
     .doc = "How often a request is tried again: at another server when a connection is refused; "
            "once more when a connection dies without an answer and the method is idempotent."},
    {.name = "queue",
     .value = map(queue),
     .doc = "Where requests wait when `max_concurrent` is reached; with this key also while no "
            "server accepts connections (it restarts). Nothing of them has been sent."},
    {.name = "http2",
     .value = one(Form::boolean),
     .fallback = "false",
     .doc = "Speaks HTTP/2 to the servers: over TLS by ALPN, without TLS by prior knowledge. "
            "WebSockets still go over HTTP/1.1."},
    {.name = "proxy_protocol",
     .value = word(proxy_protocol_words),
     .doc = "Begins each connection with a PROXY header that tells who the client is; connections "
            "are then not kept."},
    {.name = "buffering",
     .value = one(Form::boolean),
     .fallback = "false",
     .doc =
         "Reads an answer as fast as the server sends it, into memory and then a temporary file, "
         "so that a slow client holds no connection; `text/event-stream` and answers with "
         "`X-Accel-Buffering: no` pass as they come."},
    {.name = "slow_start",
     .value = duration(0, hour),
     .fallback = "0",
     .doc = "How long a server that came back gets less than its share."},
};

constexpr Key proxy_timeouts_keys[] = {
    {.name = "connect", .value = duration(10, hour), .fallback = "3s", .doc = "To connect."},
    {.name = "response",
     .value = duration(100, day),
     .fallback = "60s",
     .doc = "From the request's end to the first byte of the answer."},
    {.name = "idle",
     .value = duration(0, 30 * day),
     .fallback = "2m",
     .doc = "Of a connection that is kept, and of a tunnel without traffic; 0 is no limit."},
};

constexpr Key proxy_tls_keys[] = {
    {.name = "server_name",
     .value = one(Form::host_pattern),
     .doc = "The name in the certificate; by default the server's own."},
    {.name = "ca",
     .value = one(Form::file),
     .doc = "PEM file of the roots; by default the system's."},
    {.name = "insecure",
     .value = one(Form::boolean),
     .fallback = "false",
     .doc = "Accepts any certificate."},
    {.name = "cert",
     .value = one(Form::file),
     .doc = "PEM file of the certificate that is shown to servers, with its chain."},
    {.name = "key", .value = one(Form::file), .doc = "PEM file of its key."},
};

constexpr Key health_keys[] = {
    {.name = "path",
     .value = one(Form::path_prefix),
     .doc = "Asked for by GET; a status below 400 is health. Without it there are no checks."},
    {.name = "every", .value = duration(second, day), .fallback = "10s", .doc = "How often."},
    {.name = "timeout", .value = duration(100, hour), .fallback = "2s", .doc = "Of one check."},
    {.name = "passive",
     .value = map(passive_health),
     .doc = "Judges by real requests: by connections that fail, answers that do not come, are "
            "malformed or break off."},
};
constexpr Key passive_keys[] = {
    {.name = "fails", .value = integer(1, 1'000), .fallback = "3", .doc = "Failures in a row."},
    {.name = "for",
     .value = duration(second, day),
     .fallback = "30s",
     .doc = "How long it is passed over."},
};
constexpr Key queue_keys[] = {
    {.name = "size",
     .value = integer(0, 1'000'000),
     .fallback = "1000",
     .doc = "Requests that may wait, per worker; one more is answered with 503."},
    {.name = "wait",
     .value = duration(0, hour),
     .fallback = "10s",
     .doc = "At most; then the answer is 502 or 503. 0 is not at all."},
};
constexpr Key retries_keys[] = {
    {.name = "tries", .value = integer(0, 100), .fallback = "2", .doc = "Beyond the first."},
    {.name = "for", .value = duration(0, hour), .fallback = "5s", .doc = "In all."},
    {.name = "budget",
     .value = one(Form::percent),
     .fallback = "20%",
     .doc = "Of all requests, beyond the first few."},
};

// --- respond, redirect --------------------------------------------------------------------------

constexpr Key respond_keys[] = {
    {.name = "status", .value = one(Form::status), .fallback = "200", .doc = "200–599."},
    {.name = "body", .value = one(Form::body), .doc = "The text. It may hold placeholders."},
    {.name = "headers",
     .value = map_of(header_text, Form::header_name),
     .doc = "Fields, for instance `Content-Type`."},
};

constexpr Key redirect_keys[] = {
    {.name = "to",
     .value = one(Form::redirect_target),
     .doc = "A path or URL. It may hold placeholders: `https://example.com{uri}`.",
     .required = true},
    {.name = "status",
     .value = one(Form::redirect_status),
     .fallback = "308",
     .doc = "301, 302, 303, 307 or 308."},
};

// --- php ----------------------------------------------------------------------------------------

constexpr Key php_keys[] = {
    {.name = "to", .value = one(Form::fastcgi), .doc = "Where PHP-FPM listens.", .required = true},
    {.name = "index",
     .value = text_value,
     .fallback = "index.php",
     .doc = "The script of a folder, and the front controller."},
    {.name = "split_path",
     .value = some(Form::text),
     .fallback = "[.php]",
     .doc = "How the names of scripts end; what follows in the path is PATH_INFO. Other files are "
            "served as they are."},
    {.name = "root",
     .value = one(Form::path_prefix),
     .doc = "The folder as PHP-FPM sees it, when it lives in a container. By default `root` of the "
            "site, with symlinks resolved."},
    {.name = "env",
     .value = map_of(text_value, Form::text),
     .doc = "More variables of the CGI environment, or other values for those that there are. They "
            "may hold placeholders."},
    {.name = "try_files",
     .value = some(Form::php_file),
     .fallback = "[\"{path}\", \"{path}/{index}\", \"{index}\"]",
     .doc = "The first that exists is served or run. `=404` answers with that status."},
    {.name = "max_concurrent",
     .value = integer(0, 1'000'000),
     .fallback = "0",
     .doc = "Requests at a time; the others wait in `queue`. 0 is no limit."},
    {.name = "queue",
     .value = map(queue),
     .doc = "Where requests wait while PHP-FPM refuses connections (it restarts, its backlog is "
            "full) or `max_concurrent` is reached. Nothing of them has been sent, so this is safe "
            "for all methods."},
    {.name = "buffering",
     .value = one(Form::boolean),
     .fallback = "true",
     .doc = "Reads an answer as fast as PHP writes it, so that a slow client holds no process; "
            "`text/event-stream` and answers with `X-Accel-Buffering: no` pass as they come."},
    {.name = "sendfile_root",
     .value = one(Form::folder),
     .doc = "Folder of the files that a script may have sent by `X-Accel-Redirect` or "
            "`X-Sendfile`. Without it both are refused."},
    {.name = "timeouts", .value = map(php_timeouts), .doc = "How long PHP may take."},
};
constexpr Key php_timeouts_keys[] = {
    {.name = "connect",
     .value = duration(10, hour),
     .fallback = "3s",
     .doc = "To accept a connection, for each attempt."},
    {.name = "response",
     .value = duration(100, day),
     .fallback = "60s",
     .doc = "To the head of an answer, and between two pieces of it."},
};

// --- files --------------------------------------------------------------------------------------

constexpr Word immutable_word[] = {{"immutable"}};
constexpr Value cache_text = {.scalar = Form::text, .words = immutable_word};
constexpr Key files_keys[] = {
    {.name = "index",
     .value = some(Form::text),
     .fallback = "[index.html]",
     .doc = "The file of a folder; the first that exists."},
    {.name = "fallback",
     .value = one(Form::path_template),
     .doc = "The file that is served when there is none, with status 200: `/index.html` for a "
            "single-page application."},
    {.name = "browse",
     .value = one(Form::boolean),
     .fallback = "false",
     .doc = "Lists folders that have no index: as a page, or as JSON for those who accept that. "
            "Dotfiles and what `hide` names are left out."},
    {.name = "hide",
     .value = some(Form::text),
     .doc = "What is not served, answered with 404: names (`*.map`), or paths (`/internal/*`). "
            "Dotfiles never are."},
    {.name = "precompressed",
     .value = word_list(side_words),
     .fallback = "[br, zst, gz]",
     .doc = "Kinds of files that stand compressed beside a file (`app.js.br`) and are served "
            "instead when the client takes them."},
    {.name = "symlinks",
     .value = word(symlink_words),
     .fallback = "inside",
     .doc = "Which are followed: those that stay below `root`, or `any`."},
    {.name = "cache",
     .value = map_of(cache_text, Form::path_pattern),
     .doc = "`Cache-Control` by the path of the file that is sent; `immutable` is `public, "
            "max-age=31536000, immutable`, for files with a hash in their name."},
};

// --- encode -------------------------------------------------------------------------------------

constexpr Key encode_keys[] = {
    {.name = "with",
     .value = word_list(coding_words),
     .fallback = "[zstd, br, gzip]",
     .doc = "Codings; the client decides, and where it has no preference this order."},
    {.name = "types",
     .value = some(Form::text),
     .doc = "Media types, `text/*` too; by default texts, scripts, JSON, XML, SVG, fonts and "
            "WebAssembly that are not packed already."},
    {.name = "min",
     .value = size(0, 1'000 * megabyte),
     .fallback = "1KiB",
     .doc = "Answers that are known to be smaller are left alone."},
    {.name = "level",
     .value = integer(1, 22),
     .doc = "Effort; by default 6 for gzip, 4 for br, 3 for zstd. gzip goes to 9, br to 11."},
};

// --- limits -------------------------------------------------------------------------------------

constexpr Key limits_keys[] = {
    {.name = "body",
     .value = size(0, 1'000'000 * megabyte),
     .doc = "Of a request; a larger one is answered with 413 before it is read, or when it turns "
            "out so. Under `php`, which waits for the whole body, 100MB by default."},
    {.name = "requests",
     .value = some(Form::rate),
     .doc = "Requests: `100/s per client_ip` (of IPv6 a /64), `per path`, `per header.X-Token`, or "
            "a list of them; past any of them the answer is 429 with `Retry-After`. All routes of "
            "what has the key share it. Answers carry `RateLimit` and `RateLimit-Policy`."},
    {.name = "connections",
     .value = {.scalar = Form::quota, .subject = "client_ip"},
     .doc = "Connections that are open, WebSockets included: `50 per client_ip`. One more is "
            "answered with 429 and closed. Of a site; trusted proxies are not counted."},
    {.name = "handshakes",
     .value = {.scalar = Form::rate, .subject = "client_ip"},
     .doc =
         "TLS handshakes: `10/s per client_ip`; one more is refused before it costs anything. Of "
         "a site; trusted proxies are not counted."},
    {.name = "burst",
     .value = integer(0, 1'000'000),
     .doc = "Requests at once; by default as many as the rate's number."},
};

// --- auth, errors, maintenance ------------------------------------------------------------------

constexpr Key basic_auth_keys[] = {
    {.name = "users", .value = map_of(secret_value, Form::text), .doc = "Names and hashes."},
    {.name = "realm",
     .value = text_value,
     .fallback = "restricted",
     .doc = "What the browser shows."},
    {.name = "cache",
     .value = duration(0, day),
     .fallback = "10m",
     .doc = "How long a right password is not checked again; 0 is not at all."},
};
constexpr Key forward_auth_keys[] = {
    {.name = "to",
     .value = one(Form::url),
     .doc = "The server and the path it is asked at: `http://auth:9000/verify`.",
     .required = true},
    {.name = "copy",
     .value = some(Form::header_name),
     .doc = "Fields that the request gets from its answer; what the client sent of them is "
            "dropped."},
    {.name = "timeout",
     .value = duration(100, hour),
     .fallback = "5s",
     .doc = "For its answer; then the client gets 502."},
};
constexpr Key error_page_keys[] = {
    {.name = "file",
     .value = one(Form::file),
     .doc = "The page. It may hold placeholders: `{error.status}`, `{error.reason}`, "
            "`{request_id}`."},
    {.name = "respond",
     .value = one_or_map(Form::status_or_body, respond),
     .doc = "An answer; with the status of the error unless it has its own."},
    {.name = "proxy",
     .value = {.scalar = Form::upstream, .lists = Lists::also, .object = &proxy},
     .doc = "A server whose answer is sent, with the status of the error."},
    {.name = "rewrite",
     .value = one(Form::path_template),
     .doc = "What that server is asked for: `/errors/{error.status}`; without it, what the client "
            "asked for."},
};
constexpr Key maintenance_keys[] = {
    {.name = "file", .value = one(Form::file), .doc = "The flag file.", .required = true},
    {.name = "respond",
     .value = one_or_map(Form::status_or_body, respond),
     .doc = "The answer, 503 unless it says otherwise."},
    {.name = "allow", .value = some(Form::network), .doc = "Who is served all the same."},
};

}  // namespace

constinit const Object proxy{"proxy", "Proxy", "proxy",
                             "A text or a list instead of the map is `to`.", proxy_keys};
constinit const Object proxy_timeouts{"proxy_timeouts", "Timeouts of a proxy", "proxy.timeouts", "",
                                      proxy_timeouts_keys};
constinit const Object proxy_tls{"proxy_tls", "TLS to servers", "proxy.tls", "", proxy_tls_keys};
constinit const Object health{"health", "Health", "proxy.health", "", health_keys};
constinit const Object passive_health{"passive_health", "Passive health", "proxy.health.passive",
                                      "", passive_keys};
constinit const Object queue{"queue", "Queue", "php.queue", "", queue_keys};
constinit const Object retries{"retries", "Retries", "proxy.retries", "", retries_keys};
constinit const Object respond{"respond", "Respond", "respond", "", respond_keys};
constinit const Object redirect{"redirect", "Redirect", "redirect", "", redirect_keys};
constinit const Object php{"php", "PHP", "php", "", php_keys};
constinit const Object php_timeouts{"php_timeouts", "Timeouts of PHP", "php.timeouts", "",
                                    php_timeouts_keys};
constinit const Object files{"files", "Files", "files", "", files_keys};
constinit const Object encode{
    "encode", "Encode", "encode",
    "A list instead of the map is `with`; `true` is its default, and `off` none.", encode_keys};
constinit const Object basic_auth{"basic_auth", "Basic auth", "basic_auth", "", basic_auth_keys};
constinit const Object forward_auth{"forward_auth", "Forward auth", "forward_auth", "",
                                    forward_auth_keys};
constinit const Object limits{"limits", "Limits", "limits", "", limits_keys};
constinit const Object error_page{"error_page", "Error page", "errors.STATUS", "", error_page_keys};
constinit const Object maintenance{"maintenance", "Maintenance", "maintenance", "",
                                   maintenance_keys};

}  // namespace portero::conf::objects
