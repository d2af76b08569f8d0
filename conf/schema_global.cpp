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
    {.name = "proxy_protocol",
     .value = some(Form::network),
     .doc = "Load balancers that begin each connection with a PROXY header (version 1 or 2), which "
            "says who the client is. From them a connection without one is refused; from others a "
            "header is not believed."},
    {.name = "timeouts", .value = map(timeouts), .doc = "How long a client may take."},
    {.name = "acme",
     .value = map(acme),
     .doc = "How certificates of public authorities are obtained (docs/certificates.md)."},
    {.name = "metrics",
     .value = one(Form::listen),
     .doc = "Address and port where Prometheus reads metrics, at `/metrics`."},
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

constexpr Word dns_provider_words[] = {{"rfc2136"}, {"exec"},         {"acme-dns"}, {"cloudflare"},
                                       {"hetzner"}, {"digitalocean"}, {"route53"}};
constexpr Word tsig_words[] = {{"hmac-sha256"}, {"hmac-sha512"}, {"hmac-sha1"}, {"hmac-md5"}};

constexpr Key acme_keys[] = {
    {.name = "issuers",
     .value = issuer_list,
     .fallback = "letsencrypt",
     .doc = "Certificate authorities, tried in order: `letsencrypt`, `letsencrypt-staging`, "
            "`zerossl`, or a map. Without the key: Let's Encrypt, then ZeroSSL if `email` is set."},
    {.name = "challenges",
     .value = word_list(challenge_words),
     .fallback = "[tls-alpn-01, http-01]",
     .doc = "How control over a name is proven, tried in order. With `dns`, dns-01 is the last "
            "unless the key says otherwise."},
    {.name = "resolvers",
     .value = some(Form::listen),
     .doc = "Name servers that are asked where a zone is kept, `address:port`. Without the key: "
            "those of the system."},
    {.name = "preflight",
     .value = one(Form::boolean),
     .fallback = "true",
     .doc = "Whether the name's records and the way to this server are looked at before an "
            "authority is asked; what surely fails is not asked for."},
    {.name = "dns",
     .value = map(dns),
     .doc = "Who takes challenge records for dns-01; with it, wildcards get public certificates."},
    {.name = "on_demand",
     .value = map(on_demand),
     .doc = "Certificates for names that clients ask for, at sites with `tls: {on_demand: true}`."},
    {.name = "events",
     .value = map(certificate_events),
     .doc = "Who is told what happens to certificates."},
};

constexpr Value day_list = {.scalar = Form::integer, .bounds = {1, 365}, .lists = Lists::also};

constexpr Key certificate_events_keys[] = {
    {.name = "exec",
     .value = one(Form::file),
     .doc = "A command, called with the event and the name; `PORTERO_*` in its environment say "
            "more."},
    {.name = "webhook", .value = one(Form::url), .doc = "A URL that gets the event as JSON."},
    {.name = "days_left",
     .value = day_list,
     .fallback = "[14, 7, 3, 1]",
     .doc = "How many days before its end a certificate's expiry is told, however it is renewed."},
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
    {.name = "provider",
     .value = word(dns_provider_words),
     .doc = "Who keeps the zone. `exec` is a command of yours.",
     .required = true},
    {.name = "server",
     .value = one(Form::listen),
     .doc = "rfc2136: address and port of the name server that takes updates."},
    {.name = "key_name", .value = text_value, .doc = "rfc2136: the TSIG key's name."},
    {.name = "key", .value = one(Form::secret), .doc = "rfc2136: the TSIG key, base64."},
    {.name = "algorithm",
     .value = word(tsig_words),
     .fallback = "hmac-sha256",
     .doc = "rfc2136: of the key."},
    {.name = "command",
     .value = one(Form::file),
     .doc = "exec: called with `present` or `cleanup`, the record's name and its value."},
    {.name = "token",
     .value = one(Form::secret),
     .doc = "cloudflare, digitalocean, hetzner: an API token that may edit the zone."},
    {.name = "access_key_id", .value = text_value, .doc = "route53: the access key's id."},
    {.name = "secret_access_key", .value = one(Form::secret), .doc = "route53: the access key."},
    {.name = "session_token",
     .value = one(Form::secret),
     .doc = "route53: of temporary credentials."},
    {.name = "username", .value = text_value, .doc = "acme-dns: of the account."},
    {.name = "password", .value = one(Form::secret), .doc = "acme-dns: of the account."},
    {.name = "subdomain", .value = text_value, .doc = "acme-dns: of the account."},
    {.name = "api",
     .value = one(Form::url),
     .doc = "The URL of the service, where it is not the usual one; acme-dns: of the server."},
};

constexpr Key on_demand_keys[] = {
    {.name = "ask",
     .value = one(Form::url),
     .doc = "Answers 2xx when a name may have a certificate.",
     .required = true},
    {.name = "limit",
     .value = one(Form::rate),
     .fallback = "10/min",
     .doc = "How many new names all clients together may ask for; one address gets half of it."},
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
constinit const Object certificate_events{"events", "Events of certificates", "acme.events", "",
                                          certificate_events_keys};
constinit const Object on_demand{"on_demand", "On demand", "acme.on_demand", "", on_demand_keys};

}  // namespace portero::conf::objects
