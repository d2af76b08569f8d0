// The site file as plain data, validated and with every default filled in. This is all that the
// rest of the program knows of YAML. Names follow the keys of the file (docs/config.md).
// Thread: immutable once loaded; shared by every thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace portero::conf {

using Duration = std::chrono::milliseconds;

// Where in the site file a value stood, for errors found after loading.
struct Where {
  std::string file;
  int line = 0;  // from 1; 0 = no place (a default)
  int column = 0;
};

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
  std::optional<HubRef> hub;  // at site level it may stand beside another terminal
  std::optional<Proxy> proxy;
  std::optional<Php> php;
  std::optional<Files> files;
  std::optional<Respond> respond;
  std::optional<Redirect> redirect;
  std::vector<Route> routes;  // nested; the first match wins
};

// --- sites -----------------------------------------------------------------------------------

// One name of a site block: "example.com", "*.example.com", "http://plain.example.com", ":8080",
// "localhost:8443".
struct SiteName {
  std::string host;         // lower case, "*.example.com", or "" for any host
  std::uint16_t port = 0;   // 0 = http_port or https_port
  bool plain_http = false;  // no TLS: http://, http_port, `tls: off`, or a port alone without `tls`
  std::string text;         // as written
};

// `automatic` only when one of the site's names is public; `off` also when all are plain HTTP.
enum class TlsMode : std::uint8_t { automatic, internal, off, files };

struct Tls {
  TlsMode mode = TlsMode::automatic;
  std::string cert;  // PEM files when mode is `files`
  std::string key;
  bool min_tls13 = false;  // min: "1.3"
};

struct AccessLog {
  bool on = false;
  std::string file;             // "" = stderr
  std::string format = "auto";  // json, console, auto
};

struct Timeouts {
  Duration header{60'000};
  Duration body{60'000};   // without progress
  Duration idle{300'000};  // keep-alive
  Duration write{60'000};  // without progress
};

struct Site {
  Where where;
  std::vector<SiteName> names;
  Tls tls;
  AccessLog log;
  Timeouts timeouts;  // what the site does not give is the global one's
  std::vector<std::string>
      trusted_proxies;        // networks, "private" expanded; the global list if none
  std::optional<HubRef> hub;  // beside or instead of routes
  std::vector<Route> routes;  // a site with a terminal of its own is one route
};

// --- hub -------------------------------------------------------------------------------------

enum class ClientEvents : std::uint8_t { none, members, all };

struct RateLimit {
  unsigned count = 0;  // 0 = off
  Duration per{60'000};
};

struct HubApp {
  Where where;
  std::string id;
  std::string key;
  std::string secret;
  std::vector<std::string> allowed_origins{"*"};  // host patterns
  unsigned max_connections = 0;                   // 0 = no limit
  std::size_t max_message_size = 10'000;
  ClientEvents client_events = ClientEvents::members;
  Duration ping_interval{60'000};
  Duration activity_timeout{30'000};
  RateLimit messages;                // per connection
  bool close_over_messages = false;  // past `messages`: Close instead of one error per message
  unsigned connections_per_ip = 0;   // 0 = no limit
  unsigned presence_members = 100;
  std::size_t presence_member_size = 2'000;
};

struct Hub {
  std::string listen;  // "127.0.0.1:8080"; "" = not given
  std::vector<HubApp> apps;
};

// --- the whole file ---------------------------------------------------------------------------

struct Config {
  std::uint16_t http_port = 80;
  std::uint16_t https_port = 443;
  std::vector<std::string> bind{"0.0.0.0", "[::]"};
  unsigned threads = 0;  // 0 = one per core
  std::string storage = "/var/lib/portero";
  std::string admin = "unix:/run/portero/admin.sock";
  std::string log_level = "info";
  std::string log_format = "auto";
  std::string email;
  Duration grace_period{10'000};
  bool http2 = true;
  Timeouts timeouts;
  std::vector<std::string> trusted_proxies;
  Hub hub;
  std::vector<Site> sites;
  std::vector<std::string> files;  // every file read, for the watcher: site file, imports, env_file
};

}  // namespace portero::conf
