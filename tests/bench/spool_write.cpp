// How long the event loop stands still when a body or an answer is put into its temporary file, as
// proxy/spool does: writes of 64 KiB to a file without a name, then the same bytes read back.
//
//   build/bench/tests/spool_write FOLDER [MEGABYTES]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr std::size_t piece_bytes = 64 * 1024;
constexpr std::size_t pieces_per_megabyte = 16;

template <class Operation>
std::vector<double> time_each(std::size_t count, Operation operation) {
  std::vector<double> took_us;
  took_us.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (operation(static_cast<off_t>(i * piece_bytes)) != static_cast<ssize_t>(piece_bytes)) {
      std::perror("spool_write");
      std::exit(1);
    }
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    took_us.push_back(took.count());
  }
  std::sort(took_us.begin(), took_us.end());
  return took_us;
}

void print(const char* what, const std::vector<double>& sorted_us) {
  const auto at = [&](double share) {
    return sorted_us[static_cast<std::size_t>(share * static_cast<double>(sorted_us.size() - 1))];
  };
  std::printf("%-5s 64 KiB: median %.0f us, 99 %% %.0f us, 99.9 %% %.0f us, worst %.0f us\n", what,
              at(0.5), at(0.99), at(0.999), at(1.0));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: spool_write FOLDER [MEGABYTES]\n");
    return 2;
  }
  const std::size_t megabytes = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 100;
  const std::size_t count = std::max<std::size_t>(1, megabytes * pieces_per_megabyte);
  const int fd = ::open(argv[1], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    std::perror(argv[1]);
    return 1;
  }
  std::string piece(piece_bytes, 'x');
  print("write",
        time_each(count, [&](off_t at) { return ::pwrite(fd, piece.data(), piece_bytes, at); }));
  print("read",
        time_each(count, [&](off_t at) { return ::pread(fd, piece.data(), piece_bytes, at); }));
  ::close(fd);
  return 0;
}
