#include "proxy/file_lookup.hpp"

#include <sys/stat.h>

#include "base/bytes.hpp"
#include "proxy/document_root.hpp"
#include "proxy/php_target.hpp"

namespace portero::proxy {
namespace {

bool is_there(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return false;
  return path.ends_with('/') ? S_ISDIR(found.st_mode) : S_ISREG(found.st_mode);
}

}  // namespace

FileLookup::FileLookup(std::string_view root, const std::vector<std::string>& candidates)
    : root_(root) {
  for (const std::string& text : candidates) {
    Candidate candidate;
    if (text.starts_with('=')) {
      candidate.status = static_cast<int>(parse_decimal(text.substr(1)).value_or(404));
    } else {
      candidate.path = Template(text.substr(0, text.find('?')));
      candidate.target = Template(text);
    }
    candidates_.push_back(std::move(candidate));
  }
}

FileLookup::Found FileLookup::find(http::Exchange& exchange) const {
  const std::string_view root = root_.expand(exchange, Place::text);
  for (const Candidate& candidate : candidates_) {
    if (candidate.status != 0) return {nullptr, candidate.status};
    std::string path(root);
    path += '/';
    path += candidate.path.expand(exchange, Place::text);
    // What a client had a say in must not lead out of the folder, nor to what is never served.
    const std::string_view below = std::string_view(path).substr(root.size());
    if (root.empty() || !is_safe_root(path) || names_dotfile(below)) continue;
    if (is_there(path)) return {&candidate.target, 0};
  }
  return {};
}

}  // namespace portero::proxy
