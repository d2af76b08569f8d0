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

// Values may hold placeholders.
struct HeaderEdit {
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::pair<std::string, std::string>> add;
  std::vector<std::string> remove;
  bool empty() const { return set.empty() && add.empty() && remove.empty(); }
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
  std::vector<std::string> client_ip;  // addresses and networks
  std::shared_ptr<const Match> not_;   // must not hold
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
};

struct Proxy {
  std::vector<UpstreamAddress> to;
  std::string balance = "two_random";
  ProxyTimeouts timeouts;
  unsigned max_concurrent = 0;  // connections per upstream and worker; 0 = no limit
  Duration resolve{30'000};     // how often names are looked up again
  ProxyTls tls;
  HeaderEdit headers_up;
  HeaderEdit headers_down;
};

// What waits when an upstream takes no more.
struct Queue {
  unsigned size = 1'000;  // requests per worker
  Duration wait{10'000};
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
  unsigned max_concurrent = 0;  // connections per worker; 0 = no limit
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
  std::string symlinks = "inside";                         // or "any"
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
  std::optional<HubRef> hub;  // at site level it may stand beside another terminal
  std::optional<Proxy> proxy;
  std::optional<Php> php;
  std::optional<Files> files;
  std::optional<Respond> respond;
  std::optional<Redirect> redirect;
  std::vector<Route> routes;  // nested; the first match wins
};

}  // namespace portero::conf
