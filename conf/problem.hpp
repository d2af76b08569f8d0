// What is wrong with a site file, told to the person who wrote it: the place, the key, what was
// expected and what they may have meant. Loading collects all of them before it gives up.
// Thread: any; a Problems belongs to one load.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.hpp"

namespace portero::conf {

struct Problem {
  Where where;
  std::string key_path;     // "sites.example.com.proxy.to[1]"; "" for the file as a whole
  std::string message;      // what is wrong, without a full stop
  std::string expected;     // what may stand there; "" when the message says it
  std::string suggestion;   // the text that was probably meant; "" when none is near
  std::string source_line;  // the line of `where`; "" when it must not be shown
  bool is_secret = false;   // it must not: what stands there may be a password
};

// Prints one problem for a terminal: "file:line:column: key: message; expected …; did you mean
// "…"?" and below it the line of the file with a caret.
std::string format_problem(const Problem& problem);

// The key's path, as a chain of frames on the stack, so that a value without a fault costs nothing.
struct KeyPath {
  const KeyPath* parent = nullptr;
  std::string_view name;  // of a map's entry
  int index = -1;         // of a list's item, from 0

  std::string text() const;
  KeyPath key(std::string_view child) const { return {this, child, -1}; }
  KeyPath item(std::size_t child) const { return {this, {}, static_cast<int>(child)}; }
};

// Collects the problems of one load.
class Problems {
 public:
  // Registers a file that is read, in order of reading; its lines are shown below its problems.
  // Give an empty text for a file that may hold secrets.
  void add_file(const std::string& file, std::string_view text);

  void error(Problem problem) { errors_.push_back(std::move(problem)); }
  void warning(Problem problem) { warnings_.push_back(std::move(problem)); }
  bool has_errors() const { return !errors_.empty(); }

  // Ordered by file (as read), line and column; what an anchor repeats is told once.
  std::vector<Problem> take_errors() { return finish(std::move(errors_)); }
  std::vector<Problem> take_warnings() { return finish(std::move(warnings_)); }

 private:
  struct File {
    std::size_t order = 0;
    std::vector<std::string> lines;
  };

  std::vector<Problem> finish(std::vector<Problem> list) const;

  std::map<std::string, File> files_;
  std::vector<Problem> errors_;
  std::vector<Problem> warnings_;
};

}  // namespace portero::conf
