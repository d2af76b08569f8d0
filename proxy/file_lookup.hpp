// FileLookup: which of several files is there, for `match: {file}` and `try_files`. Nothing is
// opened; what stands outside `root`, and dotfiles, are not there.
// Thread: the worker's. Owner: the route. Cost: a stat() for each candidate that is looked at.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/placeholder.hpp"

namespace portero::proxy {

class FileLookup {
 public:
  // Candidates are paths below `root`, both with placeholders; one that ends with a slash is a
  // folder. "=404" is there always, and is that status. A "?" begins a query.
  FileLookup(std::string_view root, const std::vector<std::string>& candidates);

  struct Found {
    const Template* target = nullptr;  // the candidate, to be expanded; nullptr = none is there
    int status = 0;                    // of "=404"; else 0
  };
  Found find(http::Exchange& exchange) const;

 private:
  struct Candidate {
    Template path;
    Template target;  // path and query
    int status = 0;
  };

  Template root_;
  std::vector<Candidate> candidates_;
};

}  // namespace portero::proxy
