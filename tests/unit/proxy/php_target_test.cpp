#include "proxy/php_target.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "base/clock.hpp"
#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
namespace fs = std::filesystem;

namespace {

// A folder like that of an application, gone at the end.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("portero-php-" + std::to_string(::getpid()))) {
    for (const char* name : {"index.php", "i.php", "dir/index.php", "dir/page.html", "style.css",
                             "up.jpg", ".env", ".well-known/x.txt", "a.php/b.php", "Upper.PHP",
                             "\xC4\xB0.php", "empty/x.txt", "php", "x.php5"}) {
      const fs::path file = path_ / name;
      fs::create_directories(file.parent_path());
      std::ofstream(file) << name;
    }
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// "script /index.php info /x ?q", "file /style.css", "slash", "status 404", "missing".
std::string describe(const PhpTarget& target) {
  switch (target.kind) {
    case PhpTarget::Kind::missing: return "missing";
    case PhpTarget::Kind::slash: return "slash";
    case PhpTarget::Kind::status: return "status " + std::to_string(target.status);
    case PhpTarget::Kind::file: return "file " + std::string(target.script);
    case PhpTarget::Kind::script: break;
  }
  std::string text = "script " + std::string(target.script);
  if (!target.path_info.empty()) text += " info " + std::string(target.path_info);
  if (!target.query.empty()) text += " ?" + std::string(target.query);
  return text;
}

std::string find(const conf::Php& settings, const std::string& target, const fs::path& folder) {
  const PhpTargets targets(settings);
  DocumentRoot root(folder);
  test::FakeExchange exchange("GET", target, "a.example");
  const bool has_root = !folder.empty();
  if (has_root) REQUIRE(root.refresh().has_value());
  return describe(targets.find(exchange, has_root ? &root : nullptr));
}

}  // namespace

TEST_CASE("php_target: a file comes first, then a folder's index, then the front controller") {
  const Folder folder;
  const auto at = [&](const std::string& target) { return find({}, target, folder.path()); };
  CHECK(at("/") == "script /index.php");
  CHECK(at("/style.css?v=1") == "file /style.css");
  CHECK(at("/users/7?x=1") == "script /index.php ?x=1");
  CHECK(at("/i.php?x") == "script /i.php ?x");
  CHECK(at("/dir/") == "script /dir/index.php");
  CHECK(at("/dir/page.html") == "file /dir/page.html");
  CHECK(at("//dir//") == "script /dir/index.php");
  CHECK(at("/php") == "file /php");
  CHECK(at("/x.php5") == "file /x.php5");
}

TEST_CASE("php_target: a folder with an index wants its slash, one without has no meaning") {
  const Folder folder;
  CHECK(find({}, "/dir", folder.path()) == "slash");
  CHECK(find({}, "/empty", folder.path()) == "script /index.php");
  CHECK(find({}, "/empty/", folder.path()) == "script /index.php");
}

TEST_CASE("php_target: what follows a script is PATH_INFO, on the bytes as they are") {
  const Folder folder;
  const auto at = [&](const std::string& target) { return find({}, target, folder.path()); };
  CHECK(at("/i.php/a/b") == "script /i.php info /a/b");
  CHECK(at("/i.php/") == "script /i.php info /");
  CHECK(at("/i.php/x.php") == "script /i.php info /x.php");
  CHECK(at("/dir/index.php/z") == "script /dir/index.php info /z");
  CHECK(at("/%C4%B0.php/x") == "script /\xC4\xB0.php info /x");
  CHECK(at("/a.php/b.php/c") == "script /a.php/b.php info /c");  // a.php is a folder
}

TEST_CASE("php_target: an upload is never a script, a script never a file") {
  const Folder folder;
  const auto at = [&](const std::string& target) { return find({}, target, folder.path()); };
  CHECK(at("/up.jpg/x.php") == "script /index.php");
  CHECK(at("/up.jpg/") == "script /index.php");
  CHECK(at("/style.css/.php") == "missing");
  CHECK(at("/Upper.PHP") == "script /Upper.PHP");  // PHP-FPM decides (limit_extensions)
  CHECK(at("/i.PHP") == "script /index.php");      // there is no such file
  CHECK(at("/i.php.") == "script /index.php");
  CHECK(at("/i.phpx") == "script /index.php");
}

TEST_CASE("php_target: dotfiles are not there, but .well-known is") {
  const Folder folder;
  const auto at = [&](const std::string& target) { return find({}, target, folder.path()); };
  CHECK(at("/.env") == "missing");
  CHECK(at("/dir/.git/config") == "missing");
  CHECK(at("/%2eenv") == "missing");
  CHECK(at("/.well-known/x.txt") == "file /.well-known/x.txt");
  CHECK(at("/.well-known/.x") == "missing");
  CHECK(at("/.well-known/openid") == "script /index.php");
}

TEST_CASE("php_target: try_files, index and split_path are those of the site file") {
  const Folder folder;
  conf::Php settings;
  settings.try_files = {"{path}", "/i.php?p={path}&{query}"};
  CHECK(find(settings, "/style.css", folder.path()) == "file /style.css");
  CHECK(find(settings, "/users?a=b", folder.path()) == "script /i.php ?p=/users&a=b");
  CHECK(find(settings, "/dir/", folder.path()) == "script /i.php ?p=/dir/&");
  settings.try_files = {"{path}", "{path}/", "=404"};
  CHECK(find(settings, "/dir/", folder.path()) == "script /dir/index.php");
  CHECK(find(settings, "/users", folder.path()) == "status 404");
  settings = {};
  settings.index = "i.php";
  CHECK(find(settings, "/users", folder.path()) == "script /i.php");
  settings.split_path = {".php5", ".php"};
  CHECK(find(settings, "/x.php5/y", folder.path()) == "script /x.php5 info /y");
  settings.index = "gone.php";
  CHECK(find(settings, "/users", folder.path()) == "missing");
}

TEST_CASE("php_target: with PHP in a container scripts are taken on trust, but no odd folders") {
  const Folder folder;
  conf::Php settings;
  settings.root = "/app/public";
  for (const fs::path& here : {fs::path(), folder.path()}) {
    CAPTURE(here.string());
    CHECK(find(settings, "/wp-login.php", here) == "script /wp-login.php");
    CHECK(find(settings, "/wp-login.php/x", here) == "script /wp-login.php info /x");
    CHECK(find(settings, "/users?a", here) == "script /index.php ?a");
    CHECK(find(settings, "/up.jpg/x.php", here) == "missing");
    CHECK(find(settings, "/.git/x.php", here) == "missing");
  }
  CHECK(find(settings, "/style.css", folder.path()) == "file /style.css");
  CHECK(find(settings, "/style.css", {}) == "script /index.php");
}

TEST_CASE("document_root: a link that is switched counts a millisecond later, with its real path") {
  const Folder folder;
  const fs::path link = folder.path() / "current";
  fs::create_directories(folder.path() / "r1");
  fs::create_directories(folder.path() / "r2");
  std::ofstream(folder.path() / "r2" / "new.php") << "x";
  fs::create_directory_symlink(folder.path() / "r1", link);
  DocumentRoot root(link);
  REQUIRE(root.refresh().has_value());
  CHECK(root.real_path() == fs::canonical(folder.path() / "r1"));
  CHECK_FALSE(root.has_script("/new.php"));
  fs::create_directory_symlink(folder.path() / "r2", folder.path() / "next");
  fs::rename(folder.path() / "next", link);
  REQUIRE(root.refresh().has_value());
  CHECK(root.real_path() == fs::canonical(folder.path() / "r1"));
  ++coarse_clock().monotonic_ms;
  REQUIRE(root.refresh().has_value());
  CHECK(root.real_path() == fs::canonical(folder.path() / "r2"));
  CHECK(root.has_script("/new.php"));
  fs::remove(link);
  ++coarse_clock().monotonic_ms;
  CHECK_FALSE(root.refresh().has_value());
  // What is gone is looked for again at once.
  fs::create_directory_symlink(folder.path() / "r1", link);
  CHECK(root.refresh().has_value());
}

TEST_CASE("document_root: what is missing is remembered by its first name, for a millisecond") {
  using Found = DocumentRoot::Found;
  const Folder folder;
  DocumentRoot root(folder.path());
  REQUIRE(root.refresh().has_value());
  const auto make = [&](const std::string& name) {
    fs::create_directories((folder.path() / name).parent_path());
    std::ofstream(folder.path() / name) << "x";
  };
  CHECK(root.look("/") == Found::folder);
  CHECK(root.look("/api/users/7") == Found::nothing);
  CHECK(root.look("/api/users/8") == Found::nothing);
  CHECK(root.look("/robots.txt") == Found::nothing);
  CHECK(root.look("/dir/a") == Found::nothing);
  CHECK(root.look("/dir/b") == Found::nothing);
  make("api/users/9");
  make("robots.txt");
  make("dir/c");
  // Of a folder that is there only what is asked for can be missing.
  CHECK(root.look("/dir/c") == Found::file);
  CHECK(root.look("/dir/page.html") == Found::file);
  CHECK(root.look("/dir") == Found::folder);
  CHECK(root.look("/api/users/9") == Found::nothing);
  CHECK(root.look("/robots.txt") == Found::nothing);
  ++coarse_clock().monotonic_ms;
  REQUIRE(root.refresh().has_value());
  CHECK(root.look("/api/users/9") == Found::file);
  CHECK(root.look("/robots.txt") == Found::file);
  // A file is no folder, which says nothing of the file.
  CHECK(root.look("/robots.txt/x") == Found::nothing);
  CHECK(root.look("/robots.txt") == Found::file);
}

TEST_CASE("document_root: many names that are missing are all looked for") {
  const Folder folder;
  DocumentRoot root(folder.path());
  REQUIRE(root.refresh().has_value());
  for (int i = 0; i < 100; ++i) {
    CHECK(root.look("/missing" + std::to_string(i) + "/x") == DocumentRoot::Found::nothing);
  }
  CHECK(root.look("/dir/page.html") == DocumentRoot::Found::file);
}
