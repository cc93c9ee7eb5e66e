/// Runs a command and lets one of its system calls fail, write less than it was asked to, or be its
/// last.
///
///   system_calls --below FOLDER [--at N] [--action E|short|kill] [--lasting] [--no-exchange]
///                [--log FILE] COMMAND ARGUMENT...
///
/// Counted are calls on paths and open files below FOLDER, from 1 on. The N-th returns the error of
/// number E without being done (close is done and returns it, as Linux does), is given half of its
/// bytes (write and pwrite), or finds its process killed. With --lasting, later calls of the same
/// name have the error too. With --no-exchange, two names cannot be exchanged, as on some file
/// systems. The log has a line for each call: number, name, result, first path,
/// second path, flags, file descriptor, offset, bytes in hexadecimal, and whether it was touched.
///
/// It is a tracer (ptrace(2)) and no preloaded library, because the C library's own calls, as in
/// fflush, do not go through symbols that a library could replace. Exit code: the command's, 128 +
/// the signal that ended it, 77 where tracing is forbidden or the processor is one that this program
/// does not know.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int none = -1;
constexpr unsigned exchange = 2;  // RENAME_EXCHANGE of linux/fs.h

/// Which arguments of a call say what it concerns.
struct shape {
  const char* name;
  int folder = none;  ///< a descriptor that `path` is relative to
  int path = none;    ///< the first path
  int second_folder = none;
  int second_path = none;
  int flags = none;
  int descriptor = none;
  int data = none;    ///< bytes that are written; their number is the next argument
  int offset = none;  ///< where; none: where the descriptor stands
};

const std::map<long, shape>& shapes() {
  static const std::map<long, shape> all = {
#ifdef SYS_open
      {SYS_open, {.name = "open", .path = 0, .flags = 1}},
      {SYS_creat, {.name = "creat", .path = 0}},
      {SYS_rename, {.name = "rename", .path = 0, .second_path = 1}},
      {SYS_mkdir, {.name = "mkdir", .path = 0}},
      {SYS_rmdir, {.name = "rmdir", .path = 0}},
      {SYS_unlink, {.name = "unlink", .path = 0}},
      {SYS_link, {.name = "link", .path = 0, .second_path = 1}},
      {SYS_symlink, {.name = "symlink", .path = 1}},
      {SYS_readlink, {.name = "readlink", .path = 0}},
      {SYS_stat, {.name = "stat", .path = 0}},
      {SYS_lstat, {.name = "stat", .path = 0}},
      {SYS_access, {.name = "access", .path = 0}},
      {SYS_chmod, {.name = "chmod", .path = 0}},
#endif
#ifdef SYS_renameat
      {SYS_renameat,
       {.name = "rename", .folder = 0, .path = 1, .second_folder = 2, .second_path = 3}},
#endif
#ifdef SYS_newfstatat
      {SYS_newfstatat, {.name = "stat", .folder = 0, .path = 1}},
#endif
      {SYS_openat, {.name = "open", .folder = 0, .path = 1, .flags = 2}},
      {SYS_renameat2,
       {.name = "rename",
        .folder = 0,
        .path = 1,
        .second_folder = 2,
        .second_path = 3,
        .flags = 4}},
      {SYS_mkdirat, {.name = "mkdir", .folder = 0, .path = 1}},
      {SYS_unlinkat, {.name = "unlink", .folder = 0, .path = 1, .flags = 2}},
      {SYS_linkat, {.name = "link", .folder = 0, .path = 1, .second_folder = 2, .second_path = 3}},
      {SYS_symlinkat, {.name = "symlink", .folder = 1, .path = 2}},
      {SYS_readlinkat, {.name = "readlink", .folder = 0, .path = 1}},
      {SYS_statx, {.name = "stat", .folder = 0, .path = 1}},
      {SYS_faccessat, {.name = "access", .folder = 0, .path = 1}},
      {SYS_fchmodat, {.name = "chmod", .folder = 0, .path = 1}},
      {SYS_truncate, {.name = "truncate", .path = 0}},
      {SYS_statfs, {.name = "statfs", .path = 0}},
      {SYS_fchmod, {.name = "chmod", .descriptor = 0}},
      {SYS_fchown, {.name = "chown", .descriptor = 0}},
      {SYS_fstat, {.name = "stat", .descriptor = 0}},
      {SYS_fstatfs, {.name = "statfs", .descriptor = 0}},
      {SYS_read, {.name = "read", .descriptor = 0}},
      {SYS_pread64, {.name = "read", .descriptor = 0}},
      {SYS_lseek, {.name = "lseek", .descriptor = 0}},
      {SYS_getdents64, {.name = "getdents", .descriptor = 0}},
      {SYS_write, {.name = "write", .descriptor = 0, .data = 1}},
      {SYS_pwrite64, {.name = "write", .descriptor = 0, .data = 1, .offset = 3}},
      {SYS_writev, {.name = "writev", .descriptor = 0}},
      {SYS_pwritev, {.name = "writev", .descriptor = 0}},
      {SYS_copy_file_range, {.name = "copy", .descriptor = 2}},
      {SYS_sendfile, {.name = "copy", .descriptor = 0}},
      {SYS_fsync, {.name = "fsync", .descriptor = 0}},
      {SYS_fdatasync, {.name = "fsync", .descriptor = 0}},
      {SYS_ftruncate, {.name = "ftruncate", .descriptor = 0, .offset = 1}},
      {SYS_fallocate, {.name = "fallocate", .descriptor = 0, .offset = 3}},
      {SYS_flock, {.name = "flock", .flags = 1, .descriptor = 0}},
      {SYS_mmap, {.name = "mmap", .flags = 3, .descriptor = 4}},
      {SYS_close, {.name = "close", .descriptor = 0}},
  };
  return all;
}

/// What this program was asked to do.
struct request {
  std::string below;
  long at = 0;  ///< 0: nothing, only a log
  std::string action;
  bool lasting = false;
  bool no_exchange = false;
  std::string log;
  std::vector<char*> command;
};

/// A call on its way, between its two stops.
struct call {
  bool counted = false;
  const shape* what = nullptr;
  std::uint64_t arguments[6] = {};
  std::string path, second_path;
  std::uint64_t offset = 0;
  std::string data;
  int error = 0;  ///< to return
  bool touched = false;
};

std::string link_of(pid_t process, const std::string& name) {
  char text[4096];
  const auto path = "/proc/" + std::to_string(process) + "/" + name;
  const auto size = ::readlink(path.c_str(), text, sizeof text);
  return size < 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

std::string descriptor_path(pid_t process, std::uint64_t descriptor) {
  return link_of(process, "fd/" + std::to_string(static_cast<int>(descriptor)));
}

std::string bytes_at(pid_t process, std::uint64_t address, std::size_t size) {
  std::string bytes(size, '\0');
  iovec here{bytes.data(), size};
  iovec there{reinterpret_cast<void*>(address), size};  // NOLINT: an address of another process
  const auto read = ::process_vm_readv(process, &here, 1, &there, 1, 0);
  bytes.resize(read < 0 ? 0 : static_cast<std::size_t>(read));
  return bytes;
}

std::string text_at(pid_t process, std::uint64_t address) {
  std::string text;
  constexpr std::size_t page = 4096;  // what may not be there begins with a page
  while (address != 0) {
    const auto part = bytes_at(process, address, page - address % page);
    const auto end = part.find('\0');
    text += part.substr(0, end);
    if (part.empty() || end != std::string::npos) break;
    address += part.size();
  }
  return text;
}

/// A path of the traced process from the root on. Links in it are not followed.
std::string path_at(pid_t process, const call& c, int folder, int path) {
  auto text = text_at(process, c.arguments[path]);
  if (text.starts_with('/')) return text;
  const bool here = folder == none || static_cast<int>(c.arguments[folder]) == AT_FDCWD;
  const auto base = here ? link_of(process, "cwd") : descriptor_path(process, c.arguments[folder]);
  return text.empty() ? base : base + "/" + text;
}

bool is_below(const std::string& path, const std::string& folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

/// Sets the number of the call that a process is about to do, or of a call's arguments one.
void set_register(pid_t process, int which, long value) {
  enum : int { number = -1 };
#if defined(__x86_64__)
  user_regs_struct all{};
  iovec part{&all, sizeof all};
  ::ptrace(PTRACE_GETREGSET, process, NT_PRSTATUS, &part);
  const auto bits = static_cast<unsigned long long>(value);
  (which == number ? all.orig_rax : which == 0 ? all.rax : all.rdx) = bits;
  ::ptrace(PTRACE_SETREGSET, process, NT_PRSTATUS, &part);
#else
  if (which == number) {
    int call_number = static_cast<int>(value);
    iovec part{&call_number, sizeof call_number};
    ::ptrace(PTRACE_SETREGSET, process, NT_ARM_SYSTEM_CALL, &part);
    return;
  }
  user_regs_struct all{};
  iovec part{&all, sizeof all};
  ::ptrace(PTRACE_GETREGSET, process, NT_PRSTATUS, &part);
  all.regs[which] = static_cast<unsigned long long>(value);
  ::ptrace(PTRACE_SETREGSET, process, NT_PRSTATUS, &part);
#endif
}
void skip_call(pid_t process) { set_register(process, -1, -1); }
void set_result(pid_t process, long value) { set_register(process, 0, value); }
void set_size(pid_t process, long value) {
  set_register(process, 2, value);
}  // of write and pwrite

class tracer {
 public:
  explicit tracer(const request& asked) : asked_(asked) {
    if (!asked.log.empty()) log_ = std::fopen(asked.log.c_str(), "w");
  }
  ~tracer() {
    if (log_ != nullptr) std::fclose(log_);
  }
  tracer(const tracer&) = delete;
  tracer& operator=(const tracer&) = delete;

  /// Lets a stopped process and what it starts run to the end. @returns the exit code of this
  /// program.
  int follow(pid_t first) {
    constexpr long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
                             PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
    ::ptrace(PTRACE_SETOPTIONS, first, nullptr, options);
    ::ptrace(PTRACE_SYSCALL, first, nullptr, nullptr);
    int status = 0;
    for (pid_t process = 0; (process = ::waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;) {
      if (WIFEXITED(status) || WIFSIGNALED(status)) {
        finish(process, 0, true);
        if (process != first) continue;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
      if (!WIFSTOPPED(status)) continue;
      long signal = 0;
      if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
        stop(process);
      } else if (status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP) {  // not one of the tracer's own
        signal = WSTOPSIG(status);
      }
      ::ptrace(PTRACE_SYSCALL, process, nullptr, signal);
    }
    return 1;
  }

 private:
  void stop(pid_t process) {
    __ptrace_syscall_info info{};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, process, sizeof info, &info) <= 0) return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      begin(process, info);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
      finish(process, static_cast<long>(info.exit.rval), false);
    }
  }

  void begin(pid_t process, const __ptrace_syscall_info& info) {
    auto& c = calls_[process] = {};
    const auto known = shapes().find(static_cast<long>(info.entry.nr));
    if (known == shapes().end()) return;
    c.what = &known->second;
    std::memcpy(c.arguments, info.entry.args, sizeof c.arguments);
    const auto& what = *c.what;
    if (what.descriptor != none) c.path = descriptor_path(process, c.arguments[what.descriptor]);
    if (what.path != none) c.path = path_at(process, c, what.folder, what.path);
    if (what.second_path != none)
      c.second_path = path_at(process, c, what.second_folder, what.second_path);
    c.counted = is_below(c.path, asked_.below) || is_below(c.second_path, asked_.below);
    if (!c.counted) return;
    ++count_;
    describe(process, c);
    if (asked_.no_exchange && known->first == SYS_renameat2 &&
        (c.arguments[what.flags] & exchange) != 0) {
      c.error = EINVAL;
      skip_call(process);
    }
    const bool again = asked_.lasting && !hit_.empty() && hit_ == what.name;
    if (count_ == asked_.at || again) inject(process, c);
  }

  void describe(pid_t process, call& c) const {
    const auto& what = *c.what;
    if (what.offset != none) {
      c.offset = c.arguments[what.offset];
    } else if (what.data != none) {
      const auto path = "/proc/" + std::to_string(process) + "/fdinfo/" +
                        std::to_string(c.arguments[what.descriptor]);
      if (std::FILE* file = std::fopen(path.c_str(), "r")) {
        unsigned long long offset = 0;
        if (std::fscanf(file, "pos: %llu", &offset) == 1) c.offset = offset;
        std::fclose(file);
      }
    }
    if (what.data != none && log_ != nullptr) {
      c.data = bytes_at(process, c.arguments[what.data], c.arguments[what.data + 1]);
    }
  }

  void inject(pid_t process, call& c) {
    hit_ = c.what->name;
    c.touched = true;
    if (asked_.action == "kill") {
      ::kill(process, SIGKILL);
    } else if (asked_.action == "short") {
      const auto size = c.what->data == none ? 0 : c.arguments[c.what->data + 1];
      c.touched = size > 1;
      if (c.touched) set_size(process, static_cast<long>(size / 2));
    } else {
      c.error = std::atoi(asked_.action.c_str());
      if (hit_ != "close") skip_call(process);
    }
  }

  void finish(pid_t process, long result, bool died) {
    const auto found = calls_.find(process);
    if (found == calls_.end()) return;
    const auto& c = found->second;
    if (c.error != 0) set_result(process, result = -c.error);
    if (c.counted && log_ != nullptr) write_line(c, result, died);
    calls_.erase(found);
  }

  void write_line(const call& c, long result, bool died) {
    const auto argument = [&](int which) {
      return which == none ? -1 : static_cast<long long>(static_cast<int>(c.arguments[which]));
    };
    std::string hexadecimal;
    const auto written =
        died || result < 0 ? 0 : std::min(c.data.size(), static_cast<std::size_t>(result));
    for (const char byte : c.data.substr(0, written)) {
      constexpr const char* digits = "0123456789abcdef";
      hexadecimal += digits[static_cast<unsigned char>(byte) >> 4];
      hexadecimal += digits[static_cast<unsigned char>(byte) & 15];
    }
    std::fprintf(log_, "%ld\t%s\t%s\t%s\t%s\t%lld\t%lld\t%llu\t%s\t%d\n", ++lines_, c.what->name,
                 died ? "-" : std::to_string(result).c_str(), c.path.c_str(), c.second_path.c_str(),
                 argument(c.what->flags), argument(c.what->descriptor),
                 static_cast<unsigned long long>(c.offset), hexadecimal.c_str(), c.touched ? 1 : 0);
  }

  const request& asked_;
  std::FILE* log_ = nullptr;
  std::map<pid_t, call> calls_;
  std::string hit_;  // the name of the call that was touched
  long count_ = 0;
  long lines_ = 0;
};

int run(const request& asked) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(77);
    ::raise(SIGSTOP);
    ::execvp(asked.command.front(), asked.command.data());
    ::_exit(127);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
    std::fprintf(stderr, "skipped: processes may not be traced here\n");
    return 77;
  }
  return tracer(asked).follow(child);
}

}  // namespace

int main(int count, char** arguments) {
  request asked;
  int i = 1;
  for (; i + 1 < count && std::strncmp(arguments[i], "--", 2) == 0; ++i) {
    const std::string name = arguments[i];
    if (name == "--lasting" || name == "--no-exchange") {
      (name == "--lasting" ? asked.lasting : asked.no_exchange) = true;
      continue;
    }
    const char* value = arguments[++i];
    if (name == "--below") asked.below = value;
    if (name == "--at") asked.at = std::atol(value);
    if (name == "--action") asked.action = value;
    if (name == "--log") asked.log = value;
  }
  for (; i < count; ++i) asked.command.push_back(arguments[i]);
  if (asked.command.empty() || asked.below.empty()) {
    std::fprintf(
        stderr,
        "usage: system_calls --below FOLDER [--at N] [--action E] [--log FILE] COMMAND...\n");
    return 2;
  }
  asked.command.push_back(nullptr);
  return run(asked);
}

#else

int main() {
  std::fprintf(stderr, "skipped: system calls of this system or processor are not known\n");
  return 77;
}

#endif
