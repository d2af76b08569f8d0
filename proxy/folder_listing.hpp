// `files: {browse: true}`: what a folder without an index holds, as a page or as JSON.
// Thread: the worker's. Cost: a stat() for each entry.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.hpp"
#include "proxy/matchers.hpp"

namespace portero::proxy {

constexpr std::size_t listed_entries_max = 10'000;

// Answers with the entries of the folder that request.path names below `root`; dotfiles and what
// `hidden` matches are left out, and symlinks that lead out of `root` unless `any_symlinks`.
// 404 when there is no such folder.
Task<Result<>> list_folder(http::Exchange& exchange, const std::string& root,
                           const std::vector<Pattern>& hidden, bool any_symlinks);

}  // namespace portero::proxy
