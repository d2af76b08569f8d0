// ${NAME} in the site file: where names are looked up and how they are filled in, and the dotenv
// files (Laravel's .env) that define them.
// Thread: any; belongs to one load.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conf/problem.hpp"

namespace portero::conf {

using Variables = std::map<std::string, std::string, std::less<>>;

// The variables of this process.
Variables process_environment();

// What a file of the configuration sees: the real environment first, as Laravel and docker-compose
// do, then the env_files of the file itself, then those of the file that imports it.
class Environment {
 public:
  explicit Environment(Variables process)
      : process_(std::make_shared<const Variables>(std::move(process))) {}

  // Puts the variables of one env_file in front of those added before.
  void add_file(const std::string& file, Variables variables);

  const std::string* find(std::string_view name) const;
  // The env_files that find() looks into, innermost first; for messages.
  std::vector<std::string> files() const;

 private:
  struct Layer {
    std::string file;
    std::shared_ptr<const Variables> variables;
  };
  std::shared_ptr<const Variables> process_;
  std::vector<Layer> layers_;
};

// Limits, against values that grow by naming each other.
constexpr std::size_t expanded_value_bytes_max = 64 * 1024;
constexpr std::size_t expanded_total_bytes_max = 16 * 1024 * 1024;  // of one site file

// Fills ${NAME} and ${NAME:-default} into texts. "$${" stands for "${".
class Expander {
 public:
  explicit Expander(const Environment& environment) : environment_(environment) {}

  // Errors: the message, when a name is not set and has no default (an empty value counts as set
  // without a default, and as not set with one), when the form is another, or past a limit.
  struct Failure {
    std::string message;
    std::string expected;
  };
  std::optional<Failure> expand(std::string_view text, std::string& out);

 private:
  std::optional<Failure> expand_nested(std::string_view text, std::string& out, unsigned depth);
  std::optional<Failure> expand_reference(std::string_view inside, std::string& out,
                                          unsigned depth);
  Failure not_set(std::string_view name) const;

  const Environment& environment_;
  std::size_t total_ = 0;
};

// Parses a dotenv file: KEY=value, `export`, comments, quotes, values over several lines, and
// ${NAME} of the environment or of a line above (in double quotes and without quotes; a name that
// is not set stays as it is). The last of several lines for a key counts.
// Errors: a line that is none of this (its value is not shown), a quote without an end.
Variables parse_dotenv(std::string_view text, const std::string& file,
                       const Environment& environment, Problems& problems);

}  // namespace portero::conf
