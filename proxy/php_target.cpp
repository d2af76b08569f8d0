#include "proxy/php_target.hpp"

#include "base/bytes.hpp"

namespace portero::proxy {
namespace {

constexpr std::string_view path_mark = "{path}";
constexpr std::string_view index_mark = "{index}";

std::string with_index(std::string_view text, const std::string& index) {
  std::string out(text);
  for (std::size_t at = out.find(index_mark); at != std::string::npos; at = out.find(index_mark)) {
    out.replace(at, index_mark.size(), index);
  }
  return out;
}

// One slash in front and none doubled, so that "/" + "/index.php" is a path.
std::string_view one_slash(std::string_view path, Arena& arena) {
  const bool is_clean = path.starts_with('/') && path.find("//") == std::string_view::npos;
  if (is_clean) return path;
  char* const out = arena.allocate_array<char>(path.size() + 1);
  char* at = out;
  *at++ = '/';
  for (const char c : path) {
    if (c != '/' || at[-1] != '/') *at++ = c;
  }
  return {out, static_cast<std::size_t>(at - out)};
}

// Whether a folder of the path has a name like a file's: "/up.jpg/x.php".
bool has_dotted_folder(std::string_view script) noexcept {
  return script.substr(0, script.rfind('/')).find('.') != std::string_view::npos;
}

}  // namespace

// What the path itself is, asked of the kernel once.
struct PhpTargets::Looker {
  DocumentRoot& root;
  std::string_view path;
  std::optional<DocumentRoot::Found> found;

  DocumentRoot::Found look(std::string_view name) {
    if (name != path) return root.look(name);
    if (!found) found = root.look(name);
    return *found;
  }
};

bool names_dotfile(std::string_view path) noexcept {
  constexpr std::string_view well_known = "/.well-known/";
  if (path.starts_with(well_known)) path.remove_prefix(well_known.size() - 1);
  return path.find("/.") != std::string_view::npos;
}

PhpTargets::PhpTargets(const conf::Php& settings)
    : index_(settings.index), split_path_(settings.split_path), unchecked_(!settings.root.empty()) {
  for (const std::string& text : settings.try_files) candidates_.push_back(compile(text));
}

PhpTargets::Candidate PhpTargets::compile(std::string_view text) const {
  Candidate candidate;
  if (text.starts_with('=')) {
    const std::optional<std::uint64_t> status = parse_decimal(text.substr(1));
    candidate.status = status ? static_cast<int>(*status) : 404;
    return candidate;
  }
  candidate.is_below_path = text.starts_with(path_mark) && text.size() > path_mark.size();
  const std::string whole = with_index(text, index_);
  const std::size_t mark = whole.find('?');
  candidate.path = Template(whole.substr(0, mark));
  if (mark != std::string::npos) candidate.query.emplace(whole.substr(mark + 1));
  return candidate;
}

// Where the first script name at or behind `from` ends: after a suffix of split_path that a slash
// or the end follows. Compared without regard to ASCII case, on the bytes as they are: lowering the
// whole path could move its places.
std::size_t PhpTargets::end_of_script(std::string_view path, std::size_t from) const noexcept {
  std::size_t nearest = std::string_view::npos;
  for (const std::string& suffix : split_path_) {
    for (std::size_t at = from; !suffix.empty() && at + suffix.size() <= path.size(); ++at) {
      const std::size_t end = at + suffix.size();
      if (end >= nearest) break;
      const bool ends = end == path.size() || path[end] == '/';
      if (!ends || !iequals(path.substr(at, suffix.size()), suffix)) continue;
      nearest = end;
      break;
    }
  }
  return nearest;
}

// Whether `path` names a script or, when it is none, a file.
bool PhpTargets::match(std::string_view path, Looker& looker, PhpTarget& target) const {
  std::size_t end = end_of_script(path, 0);
  if (end == std::string_view::npos) {
    if (path.ends_with('/') || looker.look(path) != DocumentRoot::Found::file) return false;
    target.kind = PhpTarget::Kind::file;
    target.script = path;
    return true;
  }
  for (; end != std::string_view::npos; end = end_of_script(path, end)) {
    if (!looker.root.has_script(path.substr(0, end))) continue;
    target.kind = PhpTarget::Kind::script;
    target.script = path.substr(0, end);
    target.path_info = path.substr(end);
    return true;
  }
  return false;
}

// Without a look at the files the path must be above suspicion: no folder that looks like a file.
std::optional<PhpTarget> PhpTargets::find_unchecked(std::string_view path) const {
  const std::size_t end = end_of_script(path, 0);
  if (end == std::string_view::npos) return std::nullopt;
  PhpTarget target;
  if (has_dotted_folder(path.substr(0, end))) return target;
  target.kind = PhpTarget::Kind::script;
  target.script = path.substr(0, end);
  target.path_info = path.substr(end);
  return target;
}

// The last candidate stands for everything else, though nobody could see whether it is there.
PhpTarget PhpTargets::fall_back(http::Exchange& exchange) const {
  PhpTarget target;
  target.query = exchange.request.query;
  if (candidates_.empty()) return target;
  const Candidate& last = candidates_.back();
  if (last.status != 0) {
    target.kind = PhpTarget::Kind::status;
    target.status = last.status;
    return target;
  }
  const std::string_view path = one_slash(last.path.expand(exchange, Place::text), exchange.arena);
  const std::optional<PhpTarget> found = find_unchecked(path);
  if (found) target = *found;
  target.query = last.query ? last.query->expand(exchange, Place::text) : exchange.request.query;
  return target;
}

PhpTarget PhpTargets::find(http::Exchange& exchange, DocumentRoot* root) const {
  const http::Request& request = exchange.request;
  PhpTarget target;
  target.query = request.query;
  if (names_dotfile(request.path)) return target;
  if (unchecked_) {
    std::optional<PhpTarget> script = find_unchecked(one_slash(request.path, exchange.arena));
    if (script) {
      script->query = request.query;
      return *script;
    }
  }
  if (root == nullptr) return fall_back(exchange);
  Looker looker{*root, request.path, {}};
  for (const Candidate& candidate : candidates_) {
    if (candidate.status != 0) {
      target.kind = PhpTarget::Kind::status;
      target.status = candidate.status;
      return target;
    }
    if (candidate.is_below_path && looker.look(request.path) != DocumentRoot::Found::folder) {
      continue;
    }
    std::string_view path = one_slash(candidate.path.expand(exchange, Place::text), exchange.arena);
    if (candidate.is_below_path && path.ends_with('/')) path = exchange.arena.concat(path, index_);
    if (!match(path, looker, target)) continue;
    if (candidate.query) target.query = candidate.query->expand(exchange, Place::text);
    if (candidate.is_below_path && !request.path.ends_with('/')) {
      target.kind = PhpTarget::Kind::slash;
    }
    return target;
  }
  return unchecked_ ? fall_back(exchange) : target;
}

}  // namespace portero::proxy
