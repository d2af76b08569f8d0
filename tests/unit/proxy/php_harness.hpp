// `php` on a ProxyRig: a client on a fake stream, and a FastCGI responder whose every move the test
// makes, over a unix socket or TCP.
//
//   PhpRig rig;
//   rig.start();
//   rig.client().feed("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
//   FakePeer php = rig.accept_php();
//   CHECK(rig.request(php).param("SCRIPT_NAME") == "/index.php");
//   php.send(answer_of("Content-Type: text/x\r\n\r\nhello"));
#pragma once

#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "proxy/php_handler.hpp"
#include "unit/proxy/proxy_harness.hpp"

namespace portero::proxy::test {

// What a responder got: the streams of a request, as far as they came.
struct FastCgiRequest {
  std::map<std::string, std::string, std::less<>> params;
  std::string body;
  bool params_ended = false;
  bool body_ended = false;

  std::string param(std::string_view name) const {
    const auto found = params.find(name);
    return found == params.end() ? "(none)" : found->second;
  }
};

inline FastCgiRequest decode_request(std::string_view bytes) {
  FastCgiRequest request;
  FastCgiDecoder decoder;
  Buffer in;
  in.append(bytes);
  std::string params;
  for (;;) {
    const Result<std::optional<FastCgiPiece>> piece = decoder.next(in);
    REQUIRE(piece.has_value());
    if (!*piece) break;
    if ((*piece)->type == FastCgiType::params) {
      params += (*piece)->data;
      request.params_ended = (*piece)->is_empty;
    }
    if ((*piece)->type == FastCgiType::stdin_data) {
      request.body += (*piece)->data;
      // What is empty before it ends the request before.
      request.body_ended = (*piece)->is_empty && request.params_ended;
    }
  }
  const std::optional<FastCgiParams> pairs = parse_params(params);
  REQUIRE(pairs.has_value());
  for (const auto& [name, value] : *pairs) request.params.emplace(name, value);
  return request;
}

inline std::string stdout_of(std::string_view text) {
  Buffer out;
  encode_stream(FastCgiType::stdout_data, text, out);
  return std::string(out.readable());
}

inline std::string stderr_of(std::string_view text) {
  Buffer out;
  encode_stream(FastCgiType::stderr_data, text, out);
  return std::string(out.readable());
}

inline std::string end_of(std::uint8_t protocol_status = 0) {
  Buffer out;
  encode_end_request(0, protocol_status, out);
  return std::string(out.readable());
}

inline std::string answer_of(std::string_view text) { return stdout_of(text) + end_of(); }

class PhpRig : public ProxyRig {
 public:
  explicit PhpRig(bool unix = false)
      : folder_(std::filesystem::temp_directory_path() /
                ("portero-rig-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    for (const char* name : {"index.php", "style.css"}) std::ofstream(folder_ / name) << name;
    route.root = folder_;
    route.proxy.reset();
    route.php.emplace();
    route.php->to = upstream.address();
    if (unix) listen_unix();
  }
  ~PhpRig() {
    end();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    Explained<std::unique_ptr<http::Handler>> made =
        make_php_handler(route, {pools, files_, spool_folder_});
    REQUIRE(made);
    ProxyRig::start(std::move(*made));
  }
  FakePeer accept_php() {
    if (!unix_.is_open()) return accept();
    FakePeer peer;
    turn_until([&] {
      peer = FakePeer(Fd(::accept4(unix_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
      return peer.is_open();
    });
    REQUIRE(peer.is_open());
    return peer;
  }
  // The whole request that arrives at `php`; over TCP the end of a body may come with the answer.
  FastCgiRequest request(FakePeer& php) {
    FastCgiRequest request;
    turn_until([&] {
      php.read_available();
      request = decode_request(php.received);
      const std::string length = request.param("CONTENT_LENGTH");
      const bool has_body = request.params_ended && !length.empty() && length != "(none)";
      return request.body_ended || (has_body && std::to_string(request.body.size()) == length);
    });
    php.take();
    return request;
  }
  bool accepts_nothing() {
    settle();
    const int at = unix_.is_open() ? unix_.get() : -1;
    if (at >= 0) return !Fd(::accept4(at, nullptr, nullptr, SOCK_CLOEXEC)).is_open();
    return !upstream.try_accept().is_open();
  }
  const std::filesystem::path& folder() const { return folder_; }
  void refuse_unix() { unix_ = Fd(); }
  void listen_unix() {
    const std::string path = (folder_ / "php.sock").string();
    std::filesystem::remove(path);
    unix_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, path.size());
    REQUIRE(::bind(unix_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(unix_.get(), 16) == 0);
    route.php->to = {false, "", 0, path, "unix:" + path};
  }

 private:
  std::filesystem::path folder_;
  FileCache files_;
  std::string spool_folder_ = folder_;
  Fd unix_;
};

}  // namespace portero::proxy::test
