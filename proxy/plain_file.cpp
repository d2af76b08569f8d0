#include "proxy/plain_file.hpp"

#include <cerrno>

#include "base/log.hpp"
#include "proxy/file_answer.hpp"

namespace portero::proxy {

Task<Result<>> serve_plain_file(http::Exchange& exchange, FileService files,
                                const DocumentRoot& root, std::string_view path) {
  const Result<FilePointer> file = files.cache.open(root.real_path(), path, Symlinks::of_owner);
  if (!file) {
    const bool leads_out = file.error().os_error == EXDEV;
    log::warn("php.file", log::kv("root", root.real_path()), log::kv("path", path),
              log::kv("error", file.error()),
              log::kv("text", leads_out ? "a symlink that leads out of root is followed if it "
                                          "belongs to root or to root's owner (chown -h)"
                                        : "the file is there, but cannot be opened"));
    co_return co_await http::respond_error(exchange, 404, "Not Found\n");
  }
  files.cache.load(**file);
  http::Response response(exchange.arena);
  co_return co_await answer_with_file(exchange, response, *file, files.next_turn);
}

Task<Result<>> serve_named_file(http::Exchange& exchange, http::Response& response,
                                FileService files, NamedFile named) {
  if (named.path.starts_with(named.root)) named.path.remove_prefix(named.root.size());
  Result<FilePointer> file = Errc::internal;
  if (!named.root.empty()) file = files.cache.open(named.root, named.path, Symlinks::inside);
  if (!file) {
    log::warn(
        "php.sendfile", log::kv("file", named.path), log::kv("sendfile_root", named.root),
        log::kv("path", exchange.request.path),
        log::kv("text", named.root.empty() ? "PHP named a file, but `sendfile_root` is not given"
                                           : "PHP named a file that is not below sendfile_root"));
    co_return co_await http::respond_error(exchange, 404, "Not Found\n");
  }
  const http::Method method = exchange.request.method;
  const bool is_read = method == http::Method::get || method == http::Method::head;
  if (is_read && response.status == 200) {
    co_return co_await answer_with_file(exchange, response, *file, files.next_turn);
  }
  co_return co_await send_whole_file(exchange, response, *file, files.next_turn);
}

}  // namespace portero::proxy
