#include "conf/load.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "dump.hpp"

namespace portero::conf {
namespace {

namespace fs = std::filesystem;

LoadResult load(const std::map<std::string, std::string>& files, const Variables& variables = {},
                const std::string& path = "/etc/portero/portero.yaml") {
  const MemoryFiles memory(files);
  return load_config(path, {variables, &memory});
}

std::string errors(const LoadResult& result) {
  std::string out;
  for (const Problem& problem : result.errors) {
    Problem bare = problem;
    bare.source_line.clear();
    out += format_problem(bare) + "\n";
  }
  return out;
}

std::vector<std::string> hosts(const LoadResult& result) {
  std::vector<std::string> names;
  if (result.config == nullptr) return names;
  for (const Site& site : result.config->sites) names.push_back(site.names.at(0).host);
  return names;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "portero_conf_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  std::string write(const std::string& name, std::string_view text) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("load: imports are read in byte order, after the importing file's own sites") {
  const LoadResult result = load({
      {"/etc/portero/portero.yaml", "import: sites/*.yaml\nsites: {main.test: {respond: m}}\n"},
      {"/etc/portero/sites/b.yaml", "sites: {b.test: {respond: b}}\n"},
      {"/etc/portero/sites/a.yaml", "sites: {a.test: {respond: a}}\n"},
      {"/etc/portero/sites/a.yaml.bak", "sites: {bak.test: {respond: a}}\n"},
      {"/etc/portero/sites/.hidden.yaml", "sites: {hidden.test: {respond: a}}\n"},
      {"/etc/portero/sites/deep/c.yaml", "sites: {c.test: {respond: a}}\n"},
  });
  CHECK(errors(result) == "");
  CHECK(hosts(result) == std::vector<std::string>{"main.test", "a.test", "b.test"});
  REQUIRE(result.config);
  CHECK(result.config->files == std::vector<std::string>{"/etc/portero/portero.yaml",
                                                         "/etc/portero/sites/a.yaml",
                                                         "/etc/portero/sites/b.yaml"});
  CHECK(result.config->sites[1].where.file == "/etc/portero/sites/a.yaml");
}

TEST_CASE("load: an import without a match is fine, a missing file is not") {
  CHECK(load({{"/etc/portero/portero.yaml", "import: [none/*.yaml]\n"}}).errors.empty());
  const LoadResult result = load({{"/etc/portero/portero.yaml", "import: [none.yaml]\n"}});
  CHECK(errors(result) ==
        "/etc/portero/portero.yaml:1:10: import: /etc/portero/none.yaml: no such file\n");
  CHECK(result.files.size() == 2);
}

TEST_CASE("load: files that import each other are told, a file twice is read once") {
  const LoadResult cycle = load({
      {"/etc/portero/portero.yaml", "import: a.yaml\n"},
      {"/etc/portero/a.yaml", "import: portero.yaml\n"},
  });
  CHECK(errors(cycle) ==
        "/etc/portero/a.yaml:1:9: import: the files import each other: /etc/portero/portero.yaml → "
        "/etc/portero/a.yaml → /etc/portero/portero.yaml\n");
  const LoadResult twice = load({
      {"/etc/portero/portero.yaml", "import: [\"*.yaml\", a.yaml]\n"},
      {"/etc/portero/a.yaml", "sites: {a.test: {respond: a}}\n"},
  });
  CHECK(errors(twice) == "");
  CHECK(hosts(twice) == std::vector<std::string>{"a.test"});
}

TEST_CASE("load: errors of all files come in one run, by file and place") {
  const LoadResult result = load({
      {"/etc/portero/portero.yaml",
       "sites: {m.test: {proxi: a}}\nimport: [a.yaml, b.yaml]\nhttp_port: x\n"},
      {"/etc/portero/a.yaml", "sites: {a.test: {respond: 99}}\nhttp_port: 8080\n"},
      {"/etc/portero/b.yaml", "sites:\n\ta.test\n"},
  });
  REQUIRE(result.errors.size() == 5);
  CHECK(result.errors[0].key_path == "sites.m.test.proxi");
  CHECK(result.errors[1].key_path == "http_port");
  CHECK(result.errors[2].key_path == "sites.a.test.respond");
  CHECK(result.errors[3].message == "this key stands in /etc/portero/portero.yaml:3 already");
  CHECK(result.errors[4].where.file == "/etc/portero/b.yaml");
  CHECK(result.config == nullptr);
}

TEST_CASE("load: names of sites and applications are checked over all files") {
  const LoadResult result = load({
      {"/etc/portero/portero.yaml",
       "import: a.yaml\nhub: {apps: {one: {key: k, secret: s}}}\nsites: {x.test: {respond: a}}\n"},
      {"/etc/portero/a.yaml",
       "hub: {apps: {one: {key: k2, secret: s}}}\nsites: {x.test: {hub: [one]}}\n"},
  });
  CHECK(errors(result) ==
        "/etc/portero/a.yaml:1:14: hub.apps.one: this id stands at /etc/portero/portero.yaml:2 "
        "already\n"
        "/etc/portero/a.yaml:2:9: sites.x.test: \"x.test\" is the name of the site at "
        "/etc/portero/portero.yaml:3 already\n");
}

TEST_CASE("load: every import may have the application of its own env_file") {
  const std::string site = "env_file: .env\nsites: {NAME.test: {hub: true}}\n";
  const auto named = [&](const std::string& name) {
    std::string text = site;
    return text.replace(text.find("NAME"), 4, name);
  };
  const auto env = [](const std::string& id) {
    return "REVERB_APP_ID=" + id + "\nREVERB_APP_KEY=key" + id + "\nREVERB_APP_SECRET=s\n";
  };
  const LoadResult result = load({
      {"/etc/portero/portero.yaml", "import: [/srv/a/portero.yaml, /srv/b/portero.yaml]\n"},
      {"/srv/a/portero.yaml", named("a")},
      {"/srv/a/.env", env("1")},
      {"/srv/b/portero.yaml", named("b")},
      {"/srv/b/.env", env("2")},
  });
  CHECK(errors(result) == "");
  REQUIRE(result.config);
  REQUIRE(result.config->hub.apps.size() == 2);
  CHECK(result.config->hub.apps[0].key == "key1");
  CHECK(result.config->hub.apps[1].key == "key2");
  CHECK(result.config->files.size() == 5);
}

TEST_CASE("load: the real environment wins over env_file") {
  const LoadResult result = load(
      {{"/etc/portero/portero.yaml", "env_file: [a.env, b.env]\nemail: ${A}\nstorage: /${B}\n"},
       {"/etc/portero/a.env", "A=file\nB=first\n"},
       {"/etc/portero/b.env", "B=second\n"}},
      {{"A", "real"}});
  CHECK(errors(result) == "");
  REQUIRE(result.config);
  CHECK(result.config->email == "real");
  CHECK(result.config->storage == "/second");
}

TEST_CASE("load: a missing variable is told once with the places where it may be defined") {
  const LoadResult result = load({
      {"/etc/portero/portero.yaml", "env_file: app.env\nemail: ${MAIL}\nsites: {a.test: {hub: x}}"},
      {"/etc/portero/app.env", "A=b\n"},
  });
  CHECK(errors(result) ==
        "/etc/portero/portero.yaml:2:8: email: ${MAIL} is not set; define it in the environment or "
        "in /etc/portero/app.env, or give it a default: ${MAIL:-…}\n"
        "/etc/portero/portero.yaml:3:23: sites.a.test.hub: there is no application \"x\"; expected "
        "true, or an id of `hub.apps`\n");
}

TEST_CASE("load: env_file may itself hold a variable, and must exist") {
  const LoadResult found =
      load({{"/etc/portero/portero.yaml", "env_file: ${DIR}/.env\nemail: ${M}\n"},
            {"/srv/.env", "M=m@x.test\n"}},
           {{"DIR", "/srv"}});
  CHECK(errors(found) == "");
  const LoadResult missing = load({{"/etc/portero/portero.yaml", "env_file: .env\n"}});
  CHECK(errors(missing) ==
        "/etc/portero/portero.yaml:1:11: env_file: /etc/portero/.env: no such file\n");
}

TEST_CASE("load: a bad line of an env_file is told without its text") {
  const LoadResult result = load({{"/etc/portero/portero.yaml", "env_file: .env\n"},
                                  {"/etc/portero/.env", "A=1\nMY PASSWORD=geheim\n"}});
  REQUIRE(result.errors.size() == 1);
  const std::string text = format_problem(result.errors[0]);
  CHECK(text.starts_with("/etc/portero/.env:2:1: "));
  CHECK(text.find("geheim") == std::string::npos);
}

TEST_CASE("load: a site file that cannot be read is one error") {
  const LoadResult result = load({});
  CHECK(errors(result) == "/etc/portero/portero.yaml: no such file\n");
  CHECK(result.files == std::vector<std::string>{"/etc/portero/portero.yaml"});
}

TEST_CASE("load: the disk is read with globs, relative paths and anchors") {
  const TemporaryFolder folder;
  folder.write("sites/two.yaml", "sites: {two.test: {respond: 2}}\n");
  folder.write("sites/one.yaml", "env_file: ../.env\nsites: {\"${NAME}\": {respond: one}}\n");
  folder.write(".env", "NAME=one.test\n");
  folder.write("c.pem", "-----BEGIN CERTIFICATE-----\n");
  folder.write("c.key", "-----BEGIN EC PRIVATE KEY-----\n");
  const std::string file = folder.write(
      "portero.yaml",
      "import: sites/*.yaml\nsites: {c.test: {tls: {cert: c.pem, key: c.key}, respond: c}}\n");
  LoadResult result = load_config(file, {});
  REQUIRE(result.errors.size() == 1);  // respond: 2 is no status
  folder.write("sites/two.yaml", "sites: {two.test: {respond: two}}\n");
  result = load_config(file, {});
  CHECK(errors(result) == "");
  CHECK(hosts(result) == std::vector<std::string>{"c.test", "one.test", "two.test"});
  REQUIRE(result.config);
  CHECK(result.config->sites[0].tls.cert == (folder.path() / "c.pem").string());
  CHECK(result.config->files.size() == 4);
}

TEST_CASE("load: a folder or a FIFO in place of a file does not hang") {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "x.yaml");
  const LoadResult result = load_config((folder.path() / "x.yaml").string(), {});
  REQUIRE(result.errors.size() == 1);
  CHECK(result.errors[0].message == "is a folder, not a file");
  const std::string fifo = (folder.path() / "fifo").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(load_config(fifo, {}).errors.size() == 1);
}

TEST_CASE("load: the example file is valid and uses every kind of action") {
  const fs::path root = fs::path(PORTERO_SOURCE_DIR);
  const LoadResult result =
      load_config((root / "conf/portero.example.yaml").lexically_normal().string(), {});
  CHECK(errors(result) == "");
  REQUIRE(result.config);
  const std::string text = dump(*result.config);
  for (const std::string_view part : {"proxy:", "respond:", "redirect:", "hub:", "app "}) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

TEST_CASE("load: whatever is cut off or replaced, loading ends with errors or a configuration") {
  const std::string text =
      "x-a: &a {headers: {set: {A: \"${B:-c}\"}}}\nhub: {apps: {one: {key: k, secret: 's'}}}\n"
      "sites:\n  a.test, b.test:\n    <<: *a\n    routes:\n      - {match: /a, proxy: [a:80]}\n"
      "      - respond: |\n          text {host}\n";
  REQUIRE(load({{"f", text}}, {}, "f").errors.empty());
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    const LoadResult part = load({{"f", text.substr(0, cut)}}, {}, "f");
    CHECK((part.config != nullptr) == part.errors.empty());
    for (const char byte : {'\0', '\t', '{', '*', '"', '\xff'}) {
      std::string changed = text;
      changed[cut] = byte;
      const LoadResult result = load({{"f", changed}}, {}, "f");
      CHECK((result.config != nullptr) == result.errors.empty());
    }
  }
}

}  // namespace portero::conf
