// files_handler, file_answer and open_file.
#include "proxy/files_handler.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "base/clock.hpp"
#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;
namespace fs = std::filesystem;

namespace {

class Site {
 public:
  Site() : path_(fs::temp_directory_path() / ("portero-files-" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
    write("index.html", "start");
    write("app.js", "plain");
    write("app.js.br", "packed by br");
    write("app.js.gz", "packed by gzip");
    write("docs/index.html", "docs");
    write("empty/x.bin", "0123456789");
    write(".env", "secret");
    write(".well-known/security.txt", "contact");
    write("build/app.123.css", "css");
    write("app.js.map", "map");
    route.root = path_;
    route.files.emplace();
  }
  ~Site() { fs::remove_all(path_); }

  void write(const std::string& name, std::string_view text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  const fs::path& path() const { return path_; }

  // "200 text", after `fields` were sent; the exchange stays for its fields.
  std::string get(std::string_view target,
                  std::initializer_list<std::pair<const char*, const char*>> fields = {},
                  std::string_view method = "GET") {
    FilesHandler handler(route.root, *route.files, {cache, next_turn});
    last = std::make_unique<FakeExchange>(method, target, "a.example");
    for (const auto& [name, value] : fields) last->request.headers.add(name, value);
    test::handle(handler, *last);
    CHECK(last->ended);
    return std::to_string(last->status) + " " + last->body;
  }

  conf::Route route;
  FileCache cache;
  net::Loop loop;
  NextTurn next_turn{loop};
  std::unique_ptr<FakeExchange> last;

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("files: files, a folder's index, and folders want their slash") {
  Site site;
  CHECK(site.get("/") == "200 start");
  CHECK(site.last->header("Content-Type") == "text/html; charset=utf-8");
  CHECK(site.get("/docs/") == "200 docs");
  CHECK(site.get("/docs?x=1") == "308 ");
  CHECK(site.last->header("Location") == "/docs/?x=1");
  CHECK(site.get("/empty/") == "404 Not Found\n");
  CHECK(site.get("/none") == "404 Not Found\n");
  CHECK(site.get("/app.js/") == "404 Not Found\n");
  CHECK(site.get("/app.js", {}, "POST").starts_with("405 "));
  CHECK(site.last->header("Allow") == "GET, HEAD");
}

TEST_CASE("files: dotfiles and what is hidden are not there, well-known files are") {
  Site site;
  site.route.files->hide = {"*.map", "/docs/*"};
  CHECK(site.get("/.env") == "404 Not Found\n");
  CHECK(site.get("/.well-known/security.txt") == "200 contact");
  CHECK(site.get("/app.js.map") == "404 Not Found\n");
  CHECK(site.get("/docs/index.html") == "404 Not Found\n");
  CHECK(site.get("/app.js") == "200 plain");
}

TEST_CASE("files: the fallback answers what is not there, but not folders") {
  Site site;
  site.route.files->fallback = "/index.html";
  CHECK(site.get("/users/7") == "200 start");
  CHECK(site.get("/empty/") == "200 start");
  CHECK(site.get("/docs") == "308 ");
  CHECK(site.get("/.env") == "404 Not Found\n");
}

TEST_CASE("files: a packed file stands in for the client that takes it") {
  Site site;
  CHECK(site.get("/app.js", {{"Accept-Encoding", "gzip, br"}}) == "200 packed by br");
  CHECK(site.last->header("Content-Encoding") == "br");
  CHECK(site.last->header("Content-Type") == "text/javascript; charset=utf-8");
  CHECK(site.last->header("Vary") == "Accept-Encoding");
  const std::string etag = site.last->header("ETag");
  CHECK(site.get("/app.js", {{"Accept-Encoding", "gzip"}}) == "200 packed by gzip");
  CHECK(site.get("/app.js", {{"Accept-Encoding", "zstd"}}) == "200 plain");
  CHECK(site.last->header("Vary") == "Accept-Encoding");
  CHECK(site.last->header("ETag") != etag);
  CHECK(site.get("/docs/", {{"Accept-Encoding", "br"}}) == "200 docs");
  site.route.files->precompressed.clear();
  CHECK(site.get("/app.js", {{"Accept-Encoding", "br"}}) == "200 plain");
}

TEST_CASE("files: Cache-Control by the path of the file that is sent") {
  Site site;
  site.route.files->cache = {{"/build/*", "immutable"}, {"*.js", "no-cache"}};
  site.get("/build/app.123.css");
  CHECK(site.last->header("Cache-Control") == "public, max-age=31536000, immutable");
  site.get("/app.js");
  CHECK(site.last->header("Cache-Control") == "no-cache");
  site.get("/");
  CHECK(site.last->header("Cache-Control").empty());
  // A build's file that is not there yet must not be kept as what took its place.
  site.route.files->fallback = "/app.js";
  CHECK(site.get("/build/missing.js") == "200 plain");
  CHECK(site.last->header("Cache-Control") == "no-cache");
}

TEST_CASE("files: parts, conditions and HEAD") {
  Site site;
  const std::string path = "/empty/x.bin";
  CHECK(site.get(path) == "200 0123456789");
  CHECK(site.last->header("Accept-Ranges") == "bytes");
  const std::string etag = site.last->header("ETag");
  const std::string date = site.last->header("Last-Modified");
  CHECK(site.get(path, {}, "HEAD") == "200 ");
  CHECK(site.get(path, {{"If-None-Match", etag.c_str()}}) == "304 ");
  CHECK(site.last->header("ETag") == etag);
  CHECK(site.get(path, {{"If-Modified-Since", date.c_str()}}) == "304 ");
  CHECK(site.get(path, {{"If-Match", "\"x\""}}) == "412 The file has changed.\n");
  CHECK(site.get(path, {{"Range", "bytes=2-4"}}) == "206 234");
  CHECK(site.last->header("Content-Range") == "bytes 2-4/10");
  CHECK(site.get(path, {{"Range", "bytes=10-"}}).starts_with("416 "));
  CHECK(site.last->header("Content-Range") == "bytes */10");
  const std::string parts = site.get(path, {{"Range", "bytes=0-1,8-"}});
  CHECK(parts.starts_with("206 \r\n--portero-"));
  CHECK(parts.find("Content-Range: bytes 8-9/10\r\n\r\n89\r\n--") != std::string::npos);
  CHECK(site.last->header("Content-Type").starts_with("multipart/byteranges; boundary=portero-"));
}

TEST_CASE("files: a root that a client names stays where it is") {
  Site site;
  site.route.root = site.path().string() + "/{header.X}";
  CHECK(site.get("/", {{"X", "docs"}}) == "200 docs");
  FilesHandler handler(site.route.root, *site.route.files, {site.cache, site.next_turn});
  FakeExchange exchange("GET", "/", "a.example");
  exchange.request.headers.add("X", "../..");
  bool done = false;
  spawn(test::run_handler(handler, exchange, done));
  run_queue().run();
  CHECK_FALSE(done);
}

TEST_CASE("open_file: a file stays in memory until it changes, small ones only") {
  Site site;
  FileCache cache;
  const std::string root = site.path();
  FilePointer file = *cache.open(root, "/app.js", Symlinks::inside);
  cache.load(*file);
  CHECK(file->contents == "plain");
  CHECK(cache.contents_bytes() == 5);
  CHECK(cache.open(root, "/app.js", Symlinks::inside)->get() == file.get());
  CHECK_FALSE(cache.open(root, "/none", Symlinks::inside).has_value());
  CHECK(cache.size() == 1);
  CHECK_FALSE(cache.open(root, "/app.css.br", Symlinks::inside, true).has_value());
  CHECK(cache.size() == 2);
  site.write("big.bin", std::string(FileCache::file_bytes_max + 1, 'x'));
  file = *cache.open(root, "/big.bin", Symlinks::inside);
  cache.load(*file);
  CHECK_FALSE(file->has_contents);
}

TEST_CASE("open_file: the cache is bounded") {
  Site site;
  FileCache cache;
  for (int i = 0; i < 1'100; ++i) {
    const std::string name = "/many/" + std::to_string(i);
    site.write(name.substr(1), "x");
    REQUIRE(cache.open(site.path(), name, Symlinks::inside).has_value());
  }
  CHECK(cache.size() == FileCache::entries_max);
}
