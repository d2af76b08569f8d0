#include "advice.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace portero {
namespace {

class Advisor {
 public:
  void look(const conf::Route& route) {
    if (route.php) {
      look_for_root(route);
      look_for_socket(route);
    }
    for (const conf::Route& inner : route.routes) look(inner);
  }

  std::vector<std::string> said;

 private:
  void say(const conf::Route& route, std::string_view sentence) {
    std::string text =
        fmt::format("{}:{}: warning: {}", route.where.file, route.where.line, sentence);
    if (said.empty() || said.back() != text) said.push_back(std::move(text));
  }

  void look_for_root(const conf::Route& route) {
    const conf::Php& php = *route.php;
    if (route.root.find('{') != std::string::npos) return;
    if (route.root.empty()) {
      if (!php.root.empty()) return;
      say(route, "`php` has no `root`, so nothing can be served: give the folder with index.php");
      return;
    }
    struct stat found {};
    if (::stat(route.root.c_str(), &found) != 0) {
      if (!php.root.empty() && errno == ENOENT) return;
      say(route, fmt::format("root: {}: {}; is the path right, may this user enter it?", route.root,
                             std::strerror(errno)));
    } else if (!S_ISDIR(found.st_mode)) {
      say(route, fmt::format("root: {} is a file; it must be the folder that holds {}", route.root,
                             php.index));
    } else if (php.root.empty() && ::access((route.root + "/" + php.index).c_str(), F_OK) != 0) {
      say(route, fmt::format("root: there is no {} in {}; Laravel and Symfony have theirs in the "
                             "folder `public`",
                             php.index, route.root));
    }
  }

  void look_for_socket(const conf::Route& route) {
    const std::string& path = route.php->to.unix_path;
    if (path.empty()) return;
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) {
      const bool is_missing = errno == ENOENT;
      say(route, is_missing
                     ? fmt::format("php: the socket {} does not exist (yet); is PHP-FPM running, "
                                   "and is this what its pool has in `listen`?",
                                   path)
                     : fmt::format("php: {}: {}", path, std::strerror(errno)));
    } else if (!S_ISSOCK(found.st_mode)) {
      say(route, fmt::format("php: {} is no socket", path));
    } else if (::access(path.c_str(), W_OK) != 0) {
      say(route, fmt::format("php: this user may not use the socket {}: set listen.owner or "
                             "listen.group in the pool of PHP-FPM",
                             path));
    }
  }
};

}  // namespace

std::vector<std::string> advice_for(const conf::Config& config) {
  Advisor advisor;
  for (const conf::Site& site : config.sites) {
    for (const conf::Route& route : site.routes) advisor.look(route);
  }
  return std::move(advisor.said);
}

}  // namespace portero
