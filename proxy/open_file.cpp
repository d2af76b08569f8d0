#include "proxy/open_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include <boost/smart_ptr/make_local_shared.hpp>

#include "base/clock.hpp"

namespace portero::proxy {
namespace {

std::int64_t modified_ns_of(const struct stat& about) noexcept {
  constexpr std::int64_t second_ns = 1'000'000'000;
  return about.st_mtim.tv_sec * second_ns + about.st_mtim.tv_nsec;
}

std::string hex_text(std::uint64_t number) {
  char text[16];
  return {text, std::to_chars(text, std::end(text), number, 16).ptr};
}

// Kept between calls, so that a file that is known costs no allocation.
std::string& key_text(std::string_view root, std::string_view path, Symlinks symlinks) {
  static thread_local std::string key;
  key.assign(1, static_cast<char>('a' + static_cast<int>(symlinks)));
  key.append(root).append(1, '\0').append(path);
  return key;
}

bool read_all(int fd, std::string& into) noexcept {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got =
        ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

bool is_lack_of_descriptors(const Result<FilePointer>& opened) noexcept {
  return !opened && (opened.error().os_error == EMFILE || opened.error().os_error == ENFILE);
}

}  // namespace

Result<FilePointer> open_file(const std::string& root, std::string_view path, Symlinks symlinks) {
  const Fd folder(::open(root.empty() ? "/" : root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) return Error(Errc::internal, errno);
  Result<Fd> opened = open_below(folder.get(), path, symlinks);
  if (!opened) return opened.error();
  struct stat about {};
  if (::fstat(opened->get(), &about) != 0) return Error(Errc::internal, errno);
  FilePointer file = boost::make_local_shared<OpenFile>();
  file->fd = std::move(*opened);
  file->size = static_cast<std::uint64_t>(about.st_size);
  file->modified_ns = modified_ns_of(about);
  file->device = about.st_dev;
  file->inode = about.st_ino;
  file->type = media_type_of(path);
  file->last_modified_text = http::format_http_date(file->modified_s());
  file->etag = "\"" + hex_text(static_cast<std::uint64_t>(file->modified_ns)) + "-" +
               hex_text(file->size) + "\"";
  return file;
}

Result<FilePointer> FileCache::open(const std::string& root, std::string_view path,
                                    Symlinks symlinks, bool absent_too) {
  const std::string& key = key_text(root, path, symlinks);
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) {
    const Entries::iterator at = known->second;
    entries_.splice(entries_.begin(), entries_, at);
    const bool is_fresh = now_ms >= at->checked_ms && now_ms < at->checked_ms + validity_ms;
    if (!is_fresh) return keep(at, open_file(root, path, symlinks), absent_too);
    if (at->file == nullptr) return at->failure;
    return at->file;
  }
  Result<FilePointer> opened = open_file(root, path, symlinks);
  if (is_lack_of_descriptors(opened) && !entries_.empty()) {
    while (!entries_.empty()) forget(entries_.begin());
    opened = open_file(root, path, symlinks);
  }
  if (!opened && !absent_too) return opened;
  if (entries_.size() >= entries_max) forget(std::prev(entries_.end()));
  entries_.push_front({key, {}, {}, now_ms});
  by_key_.emplace(entries_.front().key, entries_.begin());
  return keep(entries_.begin(), std::move(opened), absent_too);
}

Result<FilePointer> FileCache::keep(Entries::iterator at, Result<FilePointer> opened,
                                    bool absent_too) {
  if (!opened && !absent_too) {
    forget(at);
    return opened;
  }
  at->checked_ms = coarse_clock().monotonic_ms;
  if (!opened) {
    replace(*at, {});
    at->failure = opened.error();
    return opened;
  }
  if (at->file == nullptr || !at->file->is_same(**opened)) replace(*at, std::move(*opened));
  return at->file;
}

void FileCache::replace(Entry& entry, FilePointer file) {
  if (entry.file != nullptr) contents_bytes_ -= entry.file->contents.size();
  entry.file = std::move(file);
}

void FileCache::forget(Entries::iterator at) {
  replace(*at, {});
  by_key_.erase(at->key);
  entries_.erase(at);
}

void FileCache::load(OpenFile& file) {
  if (file.has_contents || file.size > file_bytes_max) return;
  std::string contents(static_cast<std::size_t>(file.size), '\0');
  if (!read_all(file.fd.get(), contents)) return;
  struct stat about {};
  if (::fstat(file.fd.get(), &about) != 0 || modified_ns_of(about) != file.modified_ns) return;
  while (contents_bytes_ + contents.size() > contents_bytes_max && !entries_.empty()) {
    forget(std::prev(entries_.end()));
  }
  file.contents = std::move(contents);
  file.has_contents = true;
  file.fd = Fd();
  // The cache may have let go of it in the meantime: then its bytes are the answer's alone.
  for (const Entry& entry : entries_) {
    if (entry.file.get() != &file) continue;
    contents_bytes_ += file.contents.size();
    break;
  }
}

}  // namespace portero::proxy
