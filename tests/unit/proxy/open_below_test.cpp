#include "proxy/open_below.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::proxy;
namespace fs = std::filesystem;

namespace {

// An application with a public folder and a storage beside it, gone at the end.
class Application {
 public:
  Application()
      : path_(fs::temp_directory_path() / ("portero-open-" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
    for (const char* name : {"public/a.css", "public/deep/b.css", "storage/app/public/avatar.png",
                             "releases/7/public/x.js", ".env"}) {
      fs::create_directories((path_ / name).parent_path());
      std::ofstream(path_ / name) << name;
    }
    folder_ = Fd(::open((path_ / "public").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~Application() { fs::remove_all(path_); }

  void link(const std::string& target, const std::string& name) const {
    fs::create_symlink(target, path_ / "public" / name);
  }
  // What the file holds, or the name of the error.
  std::string read(std::string_view path, Symlinks symlinks = Symlinks::of_owner) const {
    const Result<Fd> file = open_below(folder_.get(), path, symlinks);
    if (!file) return ::strerrorname_np(file.error().os_error);
    char text[64];
    const ssize_t size = ::read(file->get(), text, sizeof text);
    return size < 0 ? "unreadable" : std::string(text, static_cast<std::size_t>(size));
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  Fd folder_;
};

}  // namespace

TEST_CASE("open_below: files below the folder, and nothing else of any kind") {
  const Application application;
  CHECK(application.read("/a.css") == "public/a.css");
  CHECK(application.read("//deep//b.css") == "public/deep/b.css");
  CHECK(application.read("/none") == "ENOENT");
  CHECK(application.read("/a.css/x") == "ENOTDIR");
  CHECK(application.read("/deep") == "EISDIR");
  CHECK(application.read("/") == "EISDIR");
  CHECK(application.read(std::string("/a.css\0", 7)) == "ENOENT");
  CHECK(application.read("/../.env", Symlinks::inside) == "EXDEV");
  REQUIRE(::mkfifo((application.path() / "public/pipe").c_str(), 0600) == 0);
  CHECK(application.read("/pipe") == "ENOENT");
}

TEST_CASE("open_below: symlinks inside are followed, those that lead out only for their owner") {
  const Application application;
  application.link("deep/b.css", "inside");
  application.link("../storage/app/public", "storage");
  application.link((application.path() / "storage/app/public").string(), "absolute");
  for (const Symlinks symlinks : {Symlinks::inside, Symlinks::of_owner}) {
    CHECK(application.read("/inside", symlinks) == "public/deep/b.css");
  }
  CHECK(application.read("/storage/avatar.png", Symlinks::inside) == "EXDEV");
  CHECK(application.read("/storage/avatar.png", Symlinks::any) == "storage/app/public/avatar.png");
  CHECK(application.read("/storage/avatar.png") == "storage/app/public/avatar.png");
  CHECK(application.read("/absolute/avatar.png") == "storage/app/public/avatar.png");
  CHECK(application.read("/storage") == "EISDIR");
  CHECK(application.read("/storage/none") == "ENOENT");
}

TEST_CASE("open_below: a symlink may lead through others, but not for ever") {
  const Application application;
  fs::create_directory_symlink("releases/7", application.path() / "current");
  application.link("../current/public/x.js", "x.js");
  application.link("../public/two", "one");
  application.link("../public/one", "two");
  CHECK(application.read("/x.js") == "releases/7/public/x.js");
  CHECK(application.read("/one") == "ELOOP");
}

TEST_CASE("open_below: somebody else's symlink does not lead out") {
  if (::geteuid() != 0) return;
  const Application application;
  application.link("../.env", "theirs");
  application.link("deep/b.css", "harmless");
  const fs::path link = application.path() / "public/theirs";
  CHECK(application.read("/theirs") == ".env");  // root's
  REQUIRE(::lchown(link.c_str(), 1, 1) == 0);
  CHECK(application.read("/theirs") == "EXDEV");
  REQUIRE(::lchown((application.path() / "public/harmless").c_str(), 1, 1) == 0);
  CHECK(application.read("/harmless") == "public/deep/b.css");
  REQUIRE(::lchown((application.path() / "public").c_str(), 1, 1) == 0);
  CHECK(application.read("/theirs") == ".env");  // the folder's owner's
}
