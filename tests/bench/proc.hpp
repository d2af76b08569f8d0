// What the benchmark tools read about a server from /proc.
// Thread: any.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

namespace portero::bench {

// CPU time of all threads of a process in µs, from schedstat (nanoseconds, where utime + stime
// count in ticks of 10 ms). Threads that have ended are not counted.
inline double cpu_us(long pid) {
  double total = 0;
  for (const auto& thread :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
    std::ifstream stat(thread.path() / "schedstat");
    double nanoseconds = 0;
    stat >> nanoseconds;
    total += nanoseconds / 1e3;
  }
  return total;
}

inline long rss_bytes(long pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("VmRSS:")) return std::atol(line.c_str() + 6) * 1024;
  }
  return 0;
}

}  // namespace portero::bench
