// Which file answers a request under `php`: a script and what follows it in the path, or a static
// file. Works on the decoded path alone, byte by byte, and only with files that exist, so that
// "/upload.jpg/x.php" never makes PHP run upload.jpg.
// Thread: the worker's. Owner: the PhpHandler.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "conf/config.hpp"
#include "http/exchange.hpp"
#include "proxy/document_root.hpp"
#include "proxy/placeholder.hpp"

namespace portero::proxy {

struct PhpTarget {
  enum class Kind : std::uint8_t {
    script,
    file,     // served as it is
    slash,    // a folder with an index, asked for without its slash
    status,   // an answer of that status
    missing,  // no such file
  };
  Kind kind = Kind::missing;
  std::string_view script;     // of a script: "/index.php"; of a file: its path
  std::string_view path_info;  // "/more", or ""
  std::string_view query;      // QUERY_STRING
  int status = 404;
};

class PhpTargets {
 public:
  explicit PhpTargets(const conf::Php& settings);

  // `root` is the folder as it is here; nullptr when there is none, because PHP lives elsewhere.
  // All views lie in the exchange's arena, in the request or in this.
  PhpTarget find(http::Exchange& exchange, DocumentRoot* root) const;

 private:
  struct Candidate {
    Template path;
    std::optional<Template> query;
    bool is_below_path = false;  // begins with "{path}/": needs that the path is a folder
    int status = 0;              // of "=404"
  };

  struct Looker;

  Candidate compile(std::string_view text) const;
  std::size_t end_of_script(std::string_view path, std::size_t from) const noexcept;
  bool splits(std::string_view path) const noexcept {
    return end_of_script(path, 0) != std::string_view::npos;
  }
  bool match(std::string_view path, Looker& looker, PhpTarget& target) const;
  std::optional<PhpTarget> find_unchecked(std::string_view path) const;
  PhpTarget fall_back(http::Exchange& exchange) const;

  std::string index_;
  std::vector<std::string> split_path_;
  bool unchecked_;  // scripts need not exist here: PHP has a root of its own
  std::vector<Candidate> candidates_;
};

// A dotfile stands in the path: ".env", ".git/config", but not ".well-known/…" at its beginning.
bool names_dotfile(std::string_view path) noexcept;

}  // namespace portero::proxy
