// Parse, lock, run; and the only place where a failure ends.
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "command_line.h"
#include "commands.h"
#include "completion.h"
#include "config/config.h"
#include "failure.h"
#include "help.h"
#include "output.h"
#include "run_user.h"
#include "session.h"

namespace bkp {
namespace {

int print(const std::string& text, std::FILE* stream, int code) {
  std::fwrite(text.data(), 1, text.size(), stream);
  return std::fflush(stream) == 0 ? code : 1;
}

int help_of(const Words& words) {
  if (words.rest.empty() || words.rest.front().starts_with('-'))
    return print(long_overview(), stdout, 0);
  return print(long_help(known_command(words.rest.front())), stdout, 0);
}

int run(const Words& words, const std::vector<std::string>& arguments) {
  if (words.command == "__complete") return print(complete(words.rest), stdout, 0);
  if (words.version) return print("bkp " BKP_VERSION "\n", stdout, 0);
  if (words.command == "help") return help_of(words);
  if (words.command.empty()) {
    if (words.long_help) return print(long_overview(), stdout, 0);
    if (words.short_help) return print(overview(), stdout, 0);
    refuse_options_alone(words);
    return print(overview(), stderr, 2);
  }
  if (words.long_help) return print(long_help(known_command(words.command)), stdout, 0);
  if (words.short_help) return print(short_help(known_command(words.command)), stdout, 0);

  const Invocation invocation = parse_invocation(words, arguments);
  const std::string actor = acting_person();
  // Absolute, because leaving root may change the working directory.
  const std::filesystem::path config =
      std::filesystem::absolute(config_path(invocation.globals.config));
  leave_root(config, invocation.command->privileges);
  Session session({*invocation.command, invocation.globals, arguments, config, actor});
  return session.carry_out(invocation.run);
}

}  // namespace
}  // namespace bkp

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const bkp::Words words = bkp::split_words(arguments);
  bkp::install_signal_handlers();
  try {
    return bkp::run(words, arguments);
  } catch (...) {
    const bkp::Error error = bkp::as_error(std::current_exception());
    const int code = static_cast<int>(error.code());
    if (words.json) return bkp::print(bkp::failure_json(error) + "\n", stdout, code);
    return bkp::print(bkp::failure_text(error, bkp::wants_colours(stderr, words.no_color)), stderr,
                      code);
  }
}
