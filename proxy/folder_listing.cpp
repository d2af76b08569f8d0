#include "proxy/folder_listing.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/fd.hpp"
#include "proxy/placeholder.hpp"

namespace portero::proxy {
namespace {

struct Entry {
  std::string name;
  bool is_folder = false;
  std::uint64_t size = 0;
  std::time_t modified = 0;
};

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

Fd open_folder(const std::string& root, std::string_view path, bool any_symlinks) {
  const Fd top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top.is_open()) return Fd();
  while (path.starts_with('/')) path.remove_prefix(1);
  const std::string name(path.empty() ? "." : path);
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = any_symlinks ? 0 : RESOLVE_BENEATH;
  return Fd(static_cast<int>(::syscall(SYS_openat2, top.get(), name.c_str(), &how, sizeof how)));
}

// What a request for it would be answered with: a symlink counts as what it leads to.
bool look_at(int folder, Entry& entry, bool any_symlinks) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = any_symlinks ? 0 : RESOLVE_BENEATH;
  const Fd file(
      static_cast<int>(::syscall(SYS_openat2, folder, entry.name.c_str(), &how, sizeof how)));
  struct stat found {};
  if (!file.is_open() || ::fstat(file.get(), &found) != 0) return false;
  entry.is_folder = S_ISDIR(found.st_mode);
  if (!entry.is_folder && !S_ISREG(found.st_mode)) return false;
  entry.size = static_cast<std::uint64_t>(found.st_size);
  entry.modified = found.st_mtime;
  return true;
}

// Folders first, then by name.
std::vector<Entry> read_entries(Fd folder, std::string_view path,
                                const std::vector<Pattern>& hidden, bool any_symlinks) {
  std::vector<Entry> entries;
  const int descriptor = folder.get();
  const std::unique_ptr<DIR, CloseFolder> open(::fdopendir(folder.release()));
  if (open == nullptr) return entries;
  while (const dirent* const found = ::readdir(open.get())) {
    if (entries.size() == listed_entries_max) break;
    Entry entry{found->d_name};
    if (entry.name.starts_with('.')) continue;
    const std::string whole = std::string(path) + entry.name;
    const bool is_hidden = std::any_of(hidden.begin(), hidden.end(), [&](const Pattern& pattern) {
      const bool is_path = pattern.text().find('/') != std::string::npos;
      return pattern.matches(is_path ? whole : entry.name);
    });
    if (!is_hidden && look_at(descriptor, entry, any_symlinks)) {
      entries.push_back(std::move(entry));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.is_folder != b.is_folder ? a.is_folder : a.name < b.name;
  });
  return entries;
}

std::string time_text(std::time_t seconds) {
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::gmtime(seconds));
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::string_view units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string html_of(const std::vector<Entry>& entries, std::string_view path, Arena& arena) {
  const std::string_view title = html_text(path, arena);
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<title>{0}</title><style>:root{{color-scheme:light dark}}"
      "body{{font:15px/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}"
      "table{{width:100%;border-collapse:collapse}}td{{padding:.1rem .5rem}}"
      "td:nth-child(n+2){{text-align:right;white-space:nowrap;opacity:.7}}"
      "</style></head>\n<body><h1>{0}</h1>\n<table>\n",
      title);
  if (path != "/") page += "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n";
  for (const Entry& entry : entries) {
    const std::string shown = entry.is_folder ? entry.name + "/" : entry.name;
    page += fmt::format("<tr><td><a href=\"./{}\">{}</a></td><td>{}</td><td>{}</td></tr>\n",
                        html_text(encode_path(shown, arena), arena), html_text(shown, arena),
                        entry.is_folder ? "" : size_text(entry.size), time_text(entry.modified));
  }
  return page + "</table></body></html>\n";
}

std::string json_of(const std::vector<Entry>& entries) {
  std::string out = "[";
  for (const Entry& entry : entries) {
    out += out.size() == 1 ? "{\"name\":\"" : ",\n{\"name\":\"";
    append_json_escaped(out, entry.name);
    out +=
        fmt::format("\",\"folder\":{},\"size\":{},\"modified\":\"{:%Y-%m-%dT%H:%M:%SZ}\"}}",
                    entry.is_folder, entry.is_folder ? 0 : entry.size, fmt::gmtime(entry.modified));
  }
  return out + "]\n";
}

}  // namespace

Task<Result<>> list_folder(http::Exchange& exchange, const std::string& root,
                           const std::vector<Pattern>& hidden, bool any_symlinks) {
  const http::Request& request = exchange.request;
  if (request.method != http::Method::get && request.method != http::Method::head) {
    http::Response refusal(exchange.arena);
    refusal.status = 405;
    refusal.headers.add("Allow", "GET, HEAD");
    co_return co_await http::respond_error(exchange, refusal, "A folder can only be read.");
  }
  Fd folder = open_folder(root, request.path, any_symlinks);
  if (!folder.is_open()) co_return co_await http::respond_error(exchange, 404, "Not Found");
  const std::vector<Entry> entries =
      read_entries(std::move(folder), request.path, hidden, any_symlinks);
  const http::Field* const accept = request.headers.find("Accept");
  const bool wants_json = accept != nullptr &&
                          accept->value.find("application/json") != std::string_view::npos &&
                          accept->value.find("text/html") == std::string_view::npos;
  http::Response response(exchange.arena);
  response.headers.add("Content-Type", wants_json ? "application/json" : "text/html; charset=utf-8",
                       http::FieldId::content_type);
  response.headers.add("Vary", "Accept");
  const std::string body =
      wants_json ? json_of(entries) : html_of(entries, request.path, exchange.arena);
  co_return co_await http::respond(exchange, response, exchange.arena.copy(body));
}

}  // namespace portero::proxy
