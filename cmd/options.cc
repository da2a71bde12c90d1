#include "options.h"

#include <strings.h>

#include <charconv>

#include "base/error.h"
#include "base/units.h"

namespace bkp {
namespace {

// "-c,--config" → "--config", "ID" → "ID": how messages call an option.
std::string spoken(const std::string& name) { return name.substr(name.rfind(',') + 1); }

std::vector<std::string> split_choices(const std::string& choices) {
  std::vector<std::string> all;
  for (std::size_t from = 0; from <= choices.size();) {
    const std::size_t to = std::min(choices.find('|', from), choices.size());
    all.push_back(choices.substr(from, to - from));
    from = to + 1;
  }
  return all;
}

std::string choose(const std::string& name, const std::string& choices, const std::string& text) {
  const std::vector<std::string> all = split_choices(choices);
  std::string listed;
  for (const std::string& choice : all) {
    if (::strcasecmp(choice.c_str(), text.c_str()) == 0) return choice;
    listed += (listed.empty() ? "" : ", ") + choice;
  }
  const std::string near = nearest_word(text, all.data(), all.size());
  throw Error(ErrorCode::usage,
              "'" + spoken(name) + "' is one of " + listed + ", not '" + text + "'",
              near.empty() ? "" : "did you mean '" + near + "'?");
}

}  // namespace

CLI::Option* add_text(CLI::App& app, const std::string& name, std::string& value,
                      const std::string& type, const std::string& about) {
  return app.add_option(name, value, about)->type_name(type);
}

CLI::Option* add_text(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                      const std::string& type, const std::string& about) {
  return app
      .add_option_function<std::string>(
          name, [&value](const std::string& text) { value = text; }, about)
      ->type_name(type);
}

CLI::Option* add_texts(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                       const std::string& type, const std::string& about) {
  return app.add_option(name, values, about)->type_name(type);
}

CLI::Option* add_count(CLI::App& app, const std::string& name, std::optional<unsigned>& value,
                       const std::string& about) {
  const auto set = [&value, name](const std::string& text) {
    unsigned number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data(), end, number);
    if (failure != std::errc() || stop != end || number == 0)
      throw Error(ErrorCode::usage,
                  "'" + spoken(name) + "' takes a whole number from 1, not '" + text + "'");
    value = number;
  };
  return app.add_option_function<std::string>(name, set, about)->type_name("N");
}

CLI::Option* add_time(CLI::App& app, const std::string& name, std::optional<TimePoint>& value,
                      const std::string& about) {
  const auto set = [&value, name](const std::string& text) {
    try {
      value = parse_user_time(text);
    } catch (const Error& error) {
      throw error.within("'" + spoken(name) + "'");
    }
  };
  return app.add_option_function<std::string>(name, set, about)->type_name("TIME");
}

CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::seconds& value,
                          const std::string& about) {
  const auto set = [&value, name](const std::string& text) {
    try {
      value = parse_duration(text);
    } catch (const Error& error) {
      throw error.within("'" + spoken(name) + "'");
    }
  };
  return app.add_option_function<std::string>(name, set, about)->type_name("DURATION");
}

CLI::Option* add_choice(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                        const std::string& choices, const std::string& about) {
  const auto set = [&value, name, choices](const std::string& text) {
    value = choose(name, choices, text);
  };
  return app.add_option_function<std::string>(name, set, about)->type_name(choices);
}

}  // namespace bkp
