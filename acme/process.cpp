#include "acme/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/fd.hpp"

extern char** environ;

namespace portero::acme {
namespace {

constexpr std::size_t output_bytes_max = 500;  // the last of them are shown
constexpr std::chrono::milliseconds look_period{50};

std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> all;
  for (char** one = environ; *one != nullptr; ++one) all.emplace_back(*one);
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A child in a process group of its own. Its output goes to a pipe, its input is empty.
class Child {
 public:
  explicit Child(const Command& command) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
      problem_ = std::strerror(errno);
      return;
    }
    output_ = Fd(ends[0]);
    const Fd write_end(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    std::vector<std::string> arguments{command.path};
    arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
    std::vector<std::string> environment = environment_with(command.environment);
    const int failed =
        ::posix_spawn(&pid_, command.path.c_str(), &actions, &attributes,
                      pointers_to(arguments).data(), pointers_to(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed == 0) return;
    problem_ = std::strerror(failed);
    pid_ = -1;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ < 0) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  const std::string& problem() const { return problem_; }

  // Whether it has ended; status() is known then.
  bool has_ended() {
    read_output();
    if (::waitpid(pid_, &status_, WNOHANG) != pid_) return false;
    read_output();
    pid_ = -1;
    return true;
  }
  int status() const { return status_; }
  const std::string& output() const { return output_text_; }

 private:
  void read_output() {
    char bytes[4096];
    for (;;) {
      const ssize_t size = ::read(output_.get(), bytes, sizeof bytes);
      if (size <= 0) return;
      output_text_.append(bytes, static_cast<std::size_t>(size));
      if (output_text_.size() > output_bytes_max) {
        output_text_.erase(0, output_text_.size() - output_bytes_max);
      }
    }
  }

  Fd output_;
  pid_t pid_ = -1;
  int status_ = 0;
  std::string problem_;
  std::string output_text_;
};

std::string ending_of(const Command& command, const Child& child) {
  const int status = child.status();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  std::string text = child.output();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  const std::string_view output = trim_ows(text);
  const std::string how = WIFEXITED(status)
                              ? fmt::format("ended with status {}", WEXITSTATUS(status))
                              : fmt::format("was ended by signal {}", WTERMSIG(status));
  return fmt::format("{} {}{}{}", command.path, how, output.empty() ? "" : ": ", output);
}

}  // namespace

std::string run_command(const Command& command, StopSignal& stop) {
  Child child(command);
  if (!child.problem().empty()) {
    return fmt::format("{} cannot be run: {}", command.path, child.problem());
  }
  for (std::chrono::milliseconds waited{}; !child.has_ended(); waited += look_period) {
    if (waited >= command.timeout) {
      return fmt::format("{} did not end within {} s", command.path,
                         command.timeout.count() / 1'000);
    }
    stop.pause(look_period);
  }
  return ending_of(command, child);
}

}  // namespace portero::acme
