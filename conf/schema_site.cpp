// The schema table: sites, routes, and what a route does with a request.

#include "conf/schema_objects.hpp"

namespace portero::conf::objects {
namespace {

using namespace values;

constexpr Word on_word[] = {{"true"}};
constexpr Word off_word[] = {{"off"}};
constexpr Word encode_words[] = {{"true"}, {"off"}, {"zstd"}, {"br"}, {"gzip"}};
constexpr Word tls_words[] = {{"auto"}, {"internal"}, {"off"}};
constexpr Word tls_version_words[] = {{"1.2"}, {"1.3"}};
constexpr Word client_auth_words[] = {{"request"}, {"require"}, {"verify"}};
constexpr Word protocol_words[] = {{"http"}, {"https"}, {"websocket"}};
constexpr Word access_format_words[] = {{"auto"}, {"json"}, {"console"}, {"combined"}};
constexpr Word filter_words[] = {{"mask"}, {"hash"}, {"drop"}};
constexpr Value filter_value = {.words = filter_words};
constexpr Word level_words[] = {{"debug"}, {"info"}, {"warn"}, {"error"}};

// "*" in a value stands for any characters; an empty one asks only whether the name is there.
constexpr Value match_texts = {.scalar = Form::text, .lists = Lists::also, .may_be_empty = true};
constexpr Value names_to_match = {
    .scalar = Form::text, .lists = Lists::also, .entries = &match_texts, .names = Form::text};
constexpr Value headers_to_match = {.scalar = Form::header_name,
                                    .lists = Lists::also,
                                    .entries = &match_texts,
                                    .names = Form::header_name};
constexpr Value error_value = map(error_page);
constexpr Value replacement_value = map(replacement);

// --- keys that sites and routes share -----------------------------------------------------------

constexpr Key match_key = {
    .name = "match",
    .value = {.scalar = Form::path_pattern, .lists = Lists::also, .object = &match},
    .doc = "Which requests the route takes; without it, all. A text is a path."};
constexpr Key hub_key = {
    .name = "hub",
    .value = {.scalar = Form::app_id, .words = on_word, .lists = Lists::also},
    .doc =
        "Serves the hub: `true` for all applications, or their ids. Beside another action of a "
        "site it takes only what is the hub's: upgrades on `/app/KEY` and `/apps/ID/…`."};
constexpr Key proxy_key = {
    .name = "proxy",
    .value = {.scalar = Form::upstream, .lists = Lists::also, .object = &proxy},
    .doc =
        "Passes requests on to a server: `nginx:80`, `https://host`, `unix:/run/app.sock`, or "
        "a list of them."};
constexpr Key respond_key = {
    .name = "respond",
    .value = one_or_map(Form::status_or_body, respond),
    .doc = "Answers by itself; a number is the status, another text, or one in quotes, the body."};
constexpr Key redirect_key = {
    .name = "redirect",
    .value = one_or_map(Form::redirect_target, redirect),
    .doc = "Sends the client elsewhere, with status 308 in the short form."};
constexpr Key routes_key = {
    .name = "routes",
    .value = {.lists = Lists::only, .object = &route},
    .doc =
        "Routes in order; the first that matches takes the request. They see the path after "
        "`strip_prefix` and `rewrite` of the route around them."};
constexpr Key headers_key = {
    .name = "headers", .value = map(headers), .doc = "Changes to the answer's header fields."};
constexpr Key headers_up_key = {
    .name = "headers_up", .value = map(headers), .doc = "Changes to the request's header fields."};
constexpr Key strip_prefix_key = {.name = "strip_prefix",
                                  .value = one(Form::path_prefix),
                                  .doc = "Taken off the front of the path, when it is there."};
constexpr Key rewrite_key = {.name = "rewrite",
                             .value = one(Form::path_template),
                             .doc = "The new path, and query if it holds a `?`."};
constexpr Key php_key = {.name = "php",
                         .value = one_or_map(Form::fastcgi, php),
                         .doc =
                             "Serves files below `root` and lets PHP-FPM run the scripts: "
                             "`unix:/run/php/php8.2-fpm.sock` or `127.0.0.1:9000`."};
constexpr Key files_key = {.name = "files",
                           .value = {.words = on_word, .object = &files},
                           .doc = "Serves files below `root`."};
constexpr Key root_key = {
    .name = "root",
    .value = one(Form::path_template),
    .doc =
        "The folder of files, for `php` and `files`. It may hold placeholders; a "
        "symlink in it counts anew for each request."};
constexpr Key encode_key = {
    .name = "encode",
    .value = {.words = encode_words, .lists = Lists::also, .object = &encode},
    .doc =
        "Compresses answers: `true`, or codings in order of preference. Not where a page mixes "
        "secrets with what a visitor sends (BREACH)."};
constexpr Key try_files_key = {.name = "try_files",
                               .value = some(Form::file_choice),
                               .doc =
                                   "The path becomes that of the first of these files below "
                                   "`root` that is there (a slash at the end asks for a folder); "
                                   "`=404` answers with that status."};
constexpr Key basic_auth_key = {
    .name = "basic_auth",
    .value = {.object = &basic_auth, .entries = &secret_value, .names = Form::text},
    .doc =
        "Asks for a name and a password: `{NAME: HASH}`, with hashes of `portero hash-password`. "
        "The application finds the name in `REMOTE_USER`, other texts as `{user}`."};
constexpr Key forward_auth_key = {.name = "forward_auth",
                                  .value = one_or_map(Form::url, forward_auth),
                                  .doc =
                                      "Asks another server about each request, by GET with the "
                                      "client's fields and `X-Forwarded-Method`, `-Uri`, `-Host`: "
                                      "2xx lets it pass, any other answer is the client's."};
constexpr Key allow_key = {
    .name = "allow",
    .value = some(Form::network),
    .doc =
        "Only these addresses are served; the others get 403. A route with `allow` or `deny` has "
        "its own."};
constexpr Key deny_key = {.name = "deny",
                          .value = some(Form::network),
                          .doc = "These addresses get 403, also those that `allow` names."};
constexpr Key limits_key = {
    .name = "limits", .value = map(limits), .doc = "What a client may ask for at most."};
constexpr Key errors_key = {
    .name = "errors",
    .value = map_of(error_value, Form::status_list),
    .doc =
        "Pages for errors that portero answers with itself; an answer of an upstream is never "
        "replaced. Without them: a plain page for browsers, JSON or a text for the others."};
constexpr Key maintenance_key = {.name = "maintenance",
                                 .value = one_or_map(Form::file, maintenance),
                                 .doc =
                                     "While this flag file exists, the answer is 503, at once "
                                     "and without a reload. Sockets of the hub stay."};

constexpr Key site_keys[] = {
    hub_key,
    proxy_key,
    respond_key,
    redirect_key,
    routes_key,
    match_key,
    headers_key,
    headers_up_key,
    strip_prefix_key,
    rewrite_key,
    {.name = "tls",
     .value = {.words = tls_words, .object = &tls},
     .fallback = "auto",
     .doc = "`auto` is the internal CA for internal names and a public one for the others (until "
            "that is there, the internal CA too, with a warning); `off` is plain HTTP."},
    {.name = "log",
     .value = {.scalar = Form::file, .words = off_word, .object = &access_log},
     .fallback = "off",
     .doc = "The access log: the path of a file, or a map."},
    {.name = "trusted_proxies",
     .value = some(Form::network),
     .doc = "Peers whose `X-Forwarded-*` fields are believed; replaces the list of the top "
            "level."},
    {.name = "timeouts",
     .value = map(timeouts),
     .doc = "How long a client of the site may take; what is not given is that of the top level. "
            "The header of a connection's first request is read before its site is known."},
    php_key,
    files_key,
    root_key,
    encode_key,
    try_files_key,
    basic_auth_key,
    forward_auth_key,
    allow_key,
    deny_key,
    limits_key,
    errors_key,
    maintenance_key,
};

constexpr Key route_keys[] = {
    match_key,
    hub_key,
    proxy_key,
    respond_key,
    redirect_key,
    routes_key,
    headers_key,
    headers_up_key,
    strip_prefix_key,
    rewrite_key,
    {.name = "log",
     .value = word(off_word),
     .doc = "`off` keeps the route's requests out of the access log."},
    php_key,
    files_key,
    root_key,
    encode_key,
    try_files_key,
    basic_auth_key,
    forward_auth_key,
    allow_key,
    deny_key,
    limits_key,
    errors_key,
    maintenance_key,
};

constexpr Key match_keys[] = {
    {.name = "path",
     .value = some(Form::path_pattern),
     .doc =
         "Compared with case, in the form that is served: decoded once (`%2F` too), dot segments "
         "resolved, slashes in a row merged. `*` stands for any characters."},
    {.name = "method", .value = some(Form::method), .doc = "`GET`, `POST`, …"},
    {.name = "host", .value = some(Form::host_pattern), .doc = "Without the port."},
    {.name = "header",
     .value = headers_to_match,
     .doc = "`{Name: value}`, or names that must be there."},
    {.name = "query",
     .value = names_to_match,
     .doc = "`{name: value}`, or names that must be there."},
    {.name = "cookie",
     .value = names_to_match,
     .doc = "`{name: value}`, or names that must be there."},
    {.name = "client_ip",
     .value = some(Form::network),
     .doc = "Addresses, networks, `private`, `loopback`, `cloudflare`."},
    {.name = "protocol",
     .value = word_list(protocol_words),
     .doc = "`websocket` is a request to upgrade."},
    {.name = "not", .value = map(match), .doc = "Must not hold."},
    {.name = "path_regexp",
     .value = some(Form::regexp),
     .doc = "A regular expression (RE2) that matches a part of the path; `^` and `$` are its ends. "
            "Its groups are `{re.1}` to `{re.9}`."},
    {.name = "file",
     .value = some(Form::template_text),
     .doc = "Files below `root`, one of which must be there; a slash at the end asks for a folder: "
            "`\"{path}\"`."},
};

constexpr Key tls_keys[] = {
    {.name = "cert", .value = one(Form::file), .doc = "PEM file of the certificate and its chain."},
    {.name = "key", .value = one(Form::file), .doc = "PEM file of the key."},
    {.name = "min",
     .value = word(tls_version_words),
     .fallback = "\"1.2\"",
     .doc = "The oldest version of TLS."},
    {.name = "client_auth",
     .value = map(client_auth),
     .doc = "Asks clients for a certificate. Requests must then come by a handshake for their own "
            "host (else 421); `{client_cert.subject}` and `{client_cert.fingerprint}` say who."},
    {.name = "issuers",
     .value = issuer_list,
     .doc =
         "As `acme.issuers`, for this site. With it, every name of the site gets its certificate "
         "from them, also `localhost`, `*.test` and addresses."},
    {.name = "challenges",
     .value = word_list(challenge_words),
     .doc = "As `acme.challenges`, for this site."},
    {.name = "dns", .value = map(dns), .doc = "As `acme.dns`, for this site."},
    {.name = "on_demand",
     .value = one(Form::boolean),
     .fallback = "false",
     .doc = "Whether names that only the site's wildcard or `\":443\"` covers get certificates of "
            "their own at their first handshake (`acme.on_demand`)."},
};

constexpr Key client_auth_keys[] = {
    {.name = "mode",
     .value = word(client_auth_words),
     .fallback = "require",
     .doc = "`request` lets clients in that have none, `require` does not, `verify` needs `ca` "
            "too."},
    {.name = "ca",
     .value = one(Form::file),
     .doc = "PEM file of the roots that a certificate must come from, also one that is only "
            "requested. Without it any certificate is taken: tell clients apart by "
            "`{client_cert.fingerprint}`."},
};

constexpr Key access_log_keys[] = {
    {.name = "file",
     .value = one(Form::file),
     .fallback = "",
     .doc = "The file; without it, the standard error output."},
    {.name = "format",
     .value = word(access_format_words),
     .fallback = "auto",
     .doc =
         "`auto` is `console` on a terminal and `json` elsewhere; `combined` is that of Apache."},
    {.name = "level",
     .value = word(level_words),
     .fallback = "info",
     .doc = "`warn` logs answers with a status from 400 on, `error` from 500 on."},
    {.name = "roll",
     .value = map(roll),
     .doc = "When the file is put aside (`app.log.20261130T101500Z`) and a new one begun."},
    {.name = "mode",
     .value = one(Form::file_mode),
     .fallback = "\"0640\"",
     .doc = "The file's permissions, in quotes."},
    {.name = "group", .value = text_value, .doc = "The file's group: `adm`."},
    {.name = "filter",
     .value = map_of(filter_value, Form::access_field),
     .doc = "What becomes of a field before it is written: `mask` (`***`; of an address the "
            "network remains), `hash` (the same for the same value, while the process runs), "
            "`drop`. Fields: `client_ip`, `user`, `method`, `host`, `uri`, `user_agent`, "
            "`referer`, `upstream`, `request_id`, `query.NAME`."},
};

constexpr Key roll_keys[] = {
    {.name = "size",
     .value = size(0, 1'000'000 * megabyte),
     .fallback = "100MB",
     .doc = "At this size; 0 is never."},
    {.name = "age", .value = duration(hour, 3650 * day), .doc = "At this age."},
    {.name = "keep", .value = integer(0, 10'000), .fallback = "10", .doc = "Old files kept."},
    {.name = "compress",
     .value = one(Form::boolean),
     .fallback = "true",
     .doc = "Whether old files are compressed."},
};

constexpr Key headers_keys[] = {
    {.name = "set",
     .value = map_of(header_text, Form::header_name),
     .doc = "Fields that replace those of the same name. Values may hold placeholders."},
    {.name = "add",
     .value = map_of(header_texts, Form::header_name),
     .doc = "Fields that are put beside those of the same name."},
    {.name = "remove", .value = some(Form::header_name), .doc = "Names of fields to drop."},
    {.name = "replace",
     .value = map_of(replacement_value, Form::header_name),
     .doc = "Parts of values to change, by regular expressions."},
};

constexpr Key replacement_keys[] = {
    {.name = "from",
     .value = one(Form::regexp),
     .doc = "The part, as a regular expression (RE2).",
     .required = true},
    {.name = "to",
     .value = {.scalar = Form::header_value, .may_be_empty = true},
     .doc = "What it becomes; `$1` is a group, `$$` a dollar.",
     .required = true},
};

}  // namespace

constinit const Object site{
    "site", "A site", "sites.NAME",
    "The keys of a site hold for all of its routes; a route's own key replaces the site's, and "
    "`headers` are merged. A site with an action (`proxy`, `php`, `files`, `respond`, `redirect`, "
    "`hub`) and no `routes` is one route. Inside a route the order is fixed: `allow` and `deny`, "
    "`maintenance`, `limits`, `basic_auth`, `forward_auth`, `strip_prefix`, `rewrite`, "
    "`try_files`, "
    "`headers_up`, the action, `headers`, `encode`, the log.",
    site_keys};
constinit const Object route{
    "route", "A route", "sites.NAME.routes[]",
    "A route has exactly one action: `hub`, `proxy`, `php`, `files`, `respond`, `redirect` or "
    "`routes`.",
    route_keys};
constinit const Object match{
    "match", "Matching", "sites.NAME.routes[].match",
    "All keys that are given must hold; of a list, one entry is enough. A text or a list instead "
    "of the map is `path`.",
    match_keys};
constinit const Object tls{"tls", "TLS", "sites.NAME.tls", "", tls_keys};
constinit const Object client_auth{"client_auth", "Client certificates",
                                   "sites.NAME.tls.client_auth", "", client_auth_keys};
constinit const Object access_log{"access_log", "Access log", "sites.NAME.log", "",
                                  access_log_keys};
constinit const Object roll{"roll", "Rolling", "sites.NAME.log.roll", "", roll_keys};
constinit const Object headers{"headers", "Header fields", "headers, headers_up, headers_down",
                               "`remove` first, then `set`, `add` and `replace`. Of a site and its "
                               "route the route's change of a field "
                               "counts.",
                               headers_keys};
constinit const Object replacement{"replacement", "Replacing", "headers.replace.NAME", "",
                                   replacement_keys};

}  // namespace portero::conf::objects
