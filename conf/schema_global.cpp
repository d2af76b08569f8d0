// The schema table: the top level of the file.

#include "conf/schema_objects.hpp"

namespace portero::conf::objects {
namespace {

using namespace values;

constexpr Word auto_words[] = {{"auto"}};
constexpr Word level_words[] = {{"debug"}, {"info"}, {"warn"}, {"error"}};
constexpr Word log_format_words[] = {{"auto"}, {"console"}, {"json"}};
constexpr Word protocol_words[] = {{"h1"}, {"h2"}, {"h3", false}};

constexpr Value site_value = map(site);

constexpr Key root_keys[] = {
    {.name = "sites",
     .value = map_of(site_value, Form::site_names),
     .doc = "The sites. A key holds one name or several with commas: `example.com`, "
            "`\"*.example.com\"`, `http://plain.example.com`, `\":8080\"`, `localhost:8443`."},
    {.name = "hub",
     .value = map(hub),
     .doc = "The WebSocket hub (Pusher protocol): its applications and its loopback listener."},
    {.name = "env_file",
     .value = some(Form::file),
     .doc = "Files such as Laravel's `.env` that define `${NAME}` for this file and what it "
            "imports. The real environment wins over them."},
    {.name = "import",
     .value = some(Form::file_pattern),
     .doc = "More site files. A pattern is relative to this file; its matches are read in byte "
            "order, and none is fine."},
    {.name = "email", .value = text_value, .doc = "The contact for certificate authorities."},
    {.name = "http_port",
     .value = integer(1, 65535),
     .fallback = "80",
     .doc = "The port of plain HTTP; sites with TLS are redirected from it."},
    {.name = "https_port",
     .value = integer(1, 65535),
     .fallback = "443",
     .doc = "The port of sites with TLS."},
    {.name = "bind",
     .value = some(Form::bind_address),
     .fallback = "[\"0.0.0.0\", \"[::]\"]",
     .doc = "The addresses to listen on."},
    {.name = "threads",
     .value = {.scalar = Form::integer, .words = auto_words, .bounds = {1, 1024}},
     .fallback = "auto",
     .doc = "How many event loops; `auto` is one per core."},
    {.name = "storage",
     .value = one(Form::folder),
     .fallback = "/var/lib/portero",
     .doc = "The folder of keys and certificates, also of the internal CA."},
    {.name = "admin",
     .value = one(Form::unix_socket),
     .fallback = "unix:/run/portero/admin.sock",
     .doc = "The socket that `portero reload`, `status` and `stop` talk to."},
    {.name = "log", .value = map(log), .doc = "The log of the server itself."},
    {.name = "grace_period",
     .value = duration(0, hour),
     .fallback = "10s",
     .doc = "How long requests and sockets may go on when the server stops."},
    {.name = "protocols",
     .value = word_list(protocol_words),
     .fallback = "[h1, h2]",
     .doc = "The versions of HTTP that are offered."},
    {.name = "trusted_proxies",
     .value = some(Form::network),
     .doc = "Peers whose `X-Forwarded-*` fields are believed. A site's own list replaces this."},
    {.name = "timeouts", .value = map(timeouts), .doc = "How long a client may take."},
    {.name = "acme",
     .value = map(acme),
     .doc = "How certificates of public authorities are obtained (docs/certificates.md)."},
    {.name = "metrics",
     .value = one(Form::listen),
     .doc = "Where Prometheus reads metrics.",
     .available = false,
     .instead = "`portero status --json` has the counts"},
};

constexpr Key log_keys[] = {
    {.name = "level",
     .value = word(level_words),
     .fallback = "info",
     .doc = "The least important lines that are written."},
    {.name = "format",
     .value = word(log_format_words),
     .fallback = "auto",
     .doc = "`auto` is `console` on a terminal and `json` elsewhere."},
};

constexpr Key timeouts_keys[] = {
    {.name = "header",
     .value = duration(100, day),
     .fallback = "1m",
     .doc = "From the first byte of a request to the end of its header."},
    {.name = "body",
     .value = duration(100, day),
     .fallback = "1m",
     .doc = "Without any progress of a request's body."},
    {.name = "idle",
     .value = duration(100, day),
     .fallback = "5m",
     .doc = "Of a kept connection between two requests."},
    {.name = "write",
     .value = duration(100, day),
     .fallback = "1m",
     .doc = "Without any progress of an answer."},
};

constexpr Key acme_keys[] = {
    {.name = "issuers",
     .value = issuer_list,
     .fallback = "letsencrypt",
     .doc = "Certificate authorities, tried in order: `letsencrypt`, `letsencrypt-staging`, "
            "`zerossl`, or a map. Without the key: Let's Encrypt, then ZeroSSL if `email` is set."},
    {.name = "challenges",
     .value = word_list(challenge_words),
     .fallback = "[tls-alpn-01, http-01]",
     .doc = "How control over a name is proven, tried in order."},
    {.name = "resolvers",
     .value = some(Form::listen),
     .doc = "Name servers for preflight and propagation checks.",
     .available = false,
     .instead = "leave it out: the authority's own look-ups count"},
    {.name = "preflight",
     .value = one(Form::boolean),
     .fallback = "true",
     .doc = "Whether a name that surely fails is not asked for.",
     .available = false,
     .instead = "leave it out: `portero certs` says what the authority found"},
    {.name = "dns",
     .value = map(dns),
     .doc = "The DNS server that takes challenge records.",
     .available = false,
     .instead = "prove control by tls-alpn-01 or http-01"},
    {.name = "on_demand",
     .value = map(on_demand),
     .doc = "Certificates for names asked for.",
     .available = false,
     .instead = "name the hosts of the site"},
};

constexpr Key issuer_keys[] = {
    {.name = "directory", .value = one(Form::url), .doc = "The ACME directory.", .required = true},
    {.name = "staging",
     .value = one(Form::url),
     .doc = "The directory of the authority's test service: after a failure an order is rehearsed "
            "there first."},
    {.name = "roots", .value = one(Form::file), .doc = "PEM file of the roots it is verified by."},
    {.name = "eab", .value = map(external_account), .doc = "External account binding."},
    {.name = "profile", .value = text_value, .doc = "The certificate profile to ask for."},
    {.name = "preferred_chain",
     .value = text_value,
     .doc = "The common name of an issuer: a chain with it is taken where the authority offers "
            "several."},
};

constexpr Key external_account_keys[] = {
    {.name = "kid", .value = text_value, .doc = "The key's id.", .required = true},
    {.name = "hmac", .value = one(Form::secret), .doc = "The key, base64url.", .required = true},
};

constexpr Key dns_keys[] = {
    {.name = "provider", .value = text_value, .doc = "`rfc2136`.", .required = true},
    {.name = "server", .value = one(Form::listen), .doc = "Address and port."},
    {.name = "key_name", .value = text_value, .doc = "The TSIG key's name."},
    {.name = "key", .value = one(Form::secret), .doc = "The TSIG key, base64."},
    {.name = "algorithm", .value = text_value, .fallback = "hmac-sha256", .doc = "Of the key."},
};

constexpr Key on_demand_keys[] = {
    {.name = "ask",
     .value = one(Form::url),
     .doc = "Answers 2xx when a name may have a certificate.",
     .required = true},
    {.name = "limit", .value = one(Form::rate), .doc = "How many new names."},
};

}  // namespace

constinit const Object root{"root", "The file", "", "What stands at the left margin of the file.",
                            root_keys};
constinit const Object log{"log", "Log of the server", "log", "", log_keys};
constinit const Object timeouts{"timeouts", "Timeouts", "timeouts", "", timeouts_keys};
constinit const Object acme{"acme", "ACME", "acme", "", acme_keys};
constinit const Object issuer{"issuer", "An issuer", "acme.issuers", "", issuer_keys};
constinit const Object external_account{"eab", "External account", "acme.issuers.eab", "",
                                        external_account_keys};
constinit const Object dns{"dns", "DNS", "acme.dns", "", dns_keys};
constinit const Object on_demand{"on_demand", "On demand", "acme.on_demand", "", on_demand_keys};

}  // namespace portero::conf::objects
