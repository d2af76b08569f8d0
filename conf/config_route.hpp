// A route of the site file: what it matches, what shapes it, and its one terminal.
// Part of conf::Config.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "conf/config_values.hpp"

namespace portero::conf {

// --- headers ---------------------------------------------------------------------------------

// A change of part of a field's values: `from` is a regular expression, "$1" in `to` its group.
struct Replacement {
  std::string name;
  std::string from;
  std::string to;
};

// Values may hold placeholders.
struct HeaderEdit {
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::pair<std::string, std::string>> add;
  std::vector<std::string> remove;
  std::vector<Replacement> replace;
  bool empty() const { return set.empty() && add.empty() && remove.empty() && replace.empty(); }
};

// --- match -----------------------------------------------------------------------------------

// All parts that are not empty must hold; within one part any entry may.
struct Match {
  std::vector<std::string> path;    // "*" matches any bytes
  std::vector<std::string> method;  // upper case
  std::vector<std::string> host;
  std::vector<std::string> protocol;  // http, https, websocket
  // Name and values: "*" in a value matches any bytes, "" asks only that the name is there.
  std::vector<std::pair<std::string, std::vector<std::string>>> header;
  std::vector<std::pair<std::string, std::vector<std::string>>> query;
  std::vector<std::pair<std::string, std::vector<std::string>>> cookie;
  std::vector<std::string> client_ip;    // addresses and networks
  std::vector<std::string> path_regexp;  // RE2; the groups are {re.1} …
  std::vector<std::string> file;         // below `root`; may hold placeholders
  std::shared_ptr<const Match> not_;     // must not hold
};

// --- terminals: exactly one per route ---------------------------------------------------------

// One address of a `proxy`: "nginx:80", "https://10.0.0.2", "unix:/run/app.sock".
struct UpstreamAddress {
  bool tls = false;
  std::string host;  // empty for unix
  std::uint16_t port = 0;
  std::string unix_path;  // empty for TCP
  std::string text;       // as written, the pool's identity
};

struct ProxyTimeouts {
  Duration connect{3'000};
  Duration response{60'000};  // to the first byte of the answer
  Duration idle{120'000};     // of pooled connections, and of tunnels without traffic: 0 = none
};

struct ProxyTls {
  std::string server_name;  // default: the upstream's host
  std::string ca;           // PEM file; default: the system's roots
  bool insecure = false;
  std::string cert;  // PEM files: who this server is to the upstream; "" = nobody
  std::string key;
};

// What waits when an upstream takes no more.
struct Queue {
  unsigned size = 1'000;  // requests per worker
  Duration wait{10'000};
};

// Judging an upstream by the requests that it gets.
struct PassiveHealth {
  unsigned fails = 3;        // in a row
  Duration out_for{30'000};  // how long it then gets none
};

struct Health {
  std::string path;  // asked for; "" = no checks
  Duration every{10'000};
  Duration timeout{2'000};
  std::optional<PassiveHealth> passive;
};

struct Retries {
  unsigned tries = 2;  // more than the first
  Duration within{5'000};
  unsigned budget_percent = 20;  // of the requests of the last seconds
};

enum class ProxyProtocol : std::uint8_t { none, v1, v2 };

struct Proxy {
  std::vector<UpstreamAddress> to;
  std::string balance = "two_random";
  ProxyTimeouts timeouts;
  unsigned max_concurrent = 0;  // connections per upstream; 0 = no limit
  Duration resolve{30'000};     // how often names are looked up again
  ProxyTls tls;
  HeaderEdit headers_up;
  HeaderEdit headers_down;
  Health health;
  Retries retries;
  Queue queue;
  bool queue_given = false;  // then requests also wait while no upstream accepts connections
  bool http2 = false;
  bool buffering = false;
  Duration slow_start{0};
  ProxyProtocol proxy_protocol = ProxyProtocol::none;
};

struct PhpTimeouts {
  Duration connect{3'000};
  Duration response{60'000};  // to the head of the answer, and between its pieces
};

struct Php {
  UpstreamAddress to;
  std::string index = "index.php";
  std::vector<std::string> split_path{".php"};
  std::string root;                                      // as PHP sees it; "" = as it is here
  std::vector<std::pair<std::string, std::string>> env;  // values may hold placeholders
  std::vector<std::string> try_files{"{path}", "{path}/{index}", "{index}"};
  unsigned max_concurrent = 0;  // connections; 0 = no limit
  Queue queue;
  bool buffering = true;
  std::string sendfile_root;  // "" = X-Accel-Redirect and X-Sendfile are refused
  PhpTimeouts timeouts;
};

struct Files {
  std::vector<std::string> index{"index.html"};
  std::string fallback;  // a path that may hold placeholders; "" = 404
  std::vector<std::string> hide;
  std::vector<std::string> precompressed{"br", "zst", "gz"};
  std::string symlinks = "inside";  // or "any"
  bool browse = false;
  std::vector<std::pair<std::string, std::string>> cache;  // path pattern and Cache-Control
};

// Compression; no codings is none.
struct Encode {
  std::vector<std::string> with;   // zstd, br, gzip, in order of preference
  std::vector<std::string> types;  // media types, "text/*"; none = a sensible list
  std::uint64_t min = 1'024;       // bytes
  unsigned level = 0;              // 0 = each coding's own default
};

struct Respond {
  int status = 200;
  std::string body;  // may hold placeholders
  std::vector<std::pair<std::string, std::string>> headers;
};

// While `file` exists, `respond` is the answer.
struct Maintenance {
  std::string file;
  Respond respond;
  std::vector<std::string> allow;  // networks that are served all the same
};

// Who may see a route: names and hashes of passwords (bcrypt, argon2id).
struct BasicAuth {
  std::vector<std::pair<std::string, std::string>> users;
  std::string realm = "restricted";
  Duration cache{600'000};  // of good passwords
};

// A server that is asked about each request.
struct ForwardAuth {
  UpstreamAddress to;
  std::string target = "/";       // path and query
  std::vector<std::string> copy;  // fields of its answer that the request gets
  Duration timeout{5'000};
};

// "100/s per client_ip": a token bucket for each value of the subject.
struct RequestRate {
  unsigned count = 0;
  Duration per{1'000};
  unsigned burst = 0;                 // at once
  std::string subject = "client_ip";  // or "path", "header.X"
  std::string scope;                  // where it stands: all routes below share its buckets
};

// What is answered instead of a short text when an answer is an error of portero's own.
struct ErrorPage {
  std::vector<int> statuses;
  std::string file;  // or
  std::optional<Respond> respond;
  std::optional<Proxy> proxy;
  std::string rewrite;  // what `proxy` is asked for; "" = what the client asked for
};

struct Redirect {
  std::string to;  // may hold placeholders
  int status = 308;
};

struct HubRef {
  bool all = false;               // hub: true
  std::vector<std::string> apps;  // app ids otherwise
};

// What stands around a route is in it already: `headers` and `headers_up` of the site and of outer
// routes are merged into the innermost ones (a route with `routes` has none); `strip_prefix` and
// `rewrite` of the site into its first level, and those of an outer route apply before the inner
// ones are matched.
struct Route {
  Where where;
  std::optional<Match> match;  // none = always
  HeaderEdit headers;          // on the response
  HeaderEdit headers_up;       // on the request
  std::string root;            // of files; may hold placeholders
  std::string strip_prefix;
  std::string rewrite;
  bool log_off = false;
  std::optional<std::uint64_t> body_bytes_max;  // of a request
  std::optional<Encode> encode;
  std::vector<std::string> allow;  // networks; empty = all
  std::vector<std::string> deny;   // counts more than `allow`
  std::optional<Maintenance> maintenance;
  std::vector<std::string> try_files;  // may hold placeholders; "=404" is a status
  std::optional<BasicAuth> basic_auth;
  std::optional<ForwardAuth> forward_auth;
  std::vector<RequestRate> requests;
  std::vector<ErrorPage> errors;
  std::optional<HubRef> hub;  // at site level it may stand beside another terminal
  std::optional<Proxy> proxy;
  std::optional<Php> php;
  std::optional<Files> files;
  std::optional<Respond> respond;
  std::optional<Redirect> redirect;
  std::vector<Route> routes;  // nested; the first match wins
};

}  // namespace portero::conf
