#include "completion.h"

#include <exception>
#include <set>
#include <sstream>

#include "catalog/catalog.h"
#include "command_line.h"
#include "commands.h"
#include "config/config.h"
#include "describe.h"

namespace bkp {
namespace {

struct Candidate {
  std::string word;
  std::string about;
};
using Candidates = std::vector<Candidate>;

std::optional<std::string> typed_config(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i] == "-c" || words[i] == "--config") return words[i + 1];
    if (words[i].starts_with("--config=")) return words[i].substr(words[i].find('=') + 1);
  }
  return std::nullopt;
}

std::vector<BackupRecord> known_backups(const Config& config) {
  constexpr std::string_view kSqlite = "sqlite:";
  if (config.catalog_url.starts_with(kSqlite) &&
      !std::filesystem::exists(config.catalog_url.substr(kSqlite.size())))
    return {};
  // One key press is not worth a connection, least of all to a server that is away.
  if (!config.catalog_url.starts_with(kSqlite)) return {};
  return open_catalog(config.catalog_url, SqlAccess::read, config.cluster).backups({});
}

Candidates backup_ids(const Config& config) {
  Candidates out{{"latest", "the newest whole backup"}};
  for (const BackupRecord& backup : known_backups(config))
    out.push_back({backup.id.substr(0, 8), std::string(to_text(backup.type)) + " " +
                                               printable(backup.database) + " " +
                                               format_local(backup.created_at)});
  return out;
}

Candidates names_in_backups(const Config& config, std::string BackupRecord::*name) {
  std::set<std::string> names;
  for (const BackupRecord& backup : known_backups(config)) names.insert(backup.*name);
  Candidates out;
  for (const std::string& each : names)
    if (!each.empty()) out.push_back({each, ""});
  return out;
}

// Candidates for a value of an option or positional of this type name (options.h).
Candidates values_of(const std::string& type, const std::vector<std::string>& words) {
  Candidates out;
  if (type == "FILE") return {{":file", ""}};
  if (type == "DIR") return {{":directory", ""}};
  if (type.find('|') != std::string::npos) {
    std::istringstream choices(type);
    for (std::string choice; std::getline(choices, choice, '|');) out.push_back({choice, ""});
    return out;
  }
  if (type != "ID" && type != "STORAGE" && type != "DATABASE" && type != "TENANT") return {};
  const Config config = load_config(config_path(typed_config(words)), Secrets::optional);
  if (type == "ID") return backup_ids(config);
  if (type == "DATABASE") return names_in_backups(config, &BackupRecord::database);
  if (type == "TENANT") return names_in_backups(config, &BackupRecord::tenant);
  for (const StorageConfig& storage : config.storages) out.push_back({storage.name, ""});
  return out;
}

Candidates command_names() {
  Candidates out;
  for (const Command& command : commands()) out.push_back({command.name, command.summary});
  out.push_back({"help", "the long help of a command"});
  return out;
}

Candidates option_names(const CLI::App& app) {
  Candidates out;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      out.push_back({"--" + name, option->get_description()});
  out.push_back({"--help", "help with examples"});
  return out;
}

bool is_flag(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

const CLI::Option* option_named(const CLI::App& app, const std::string& word) {
  if (word.size() < 2 || word.front() != '-') return nullptr;
  for (const CLI::Option* option : app.get_options())
    if (!option->get_positional() && option->check_name(word)) return option;
  return nullptr;
}

// The positional that the word being typed belongs to: the first that earlier words leave open.
const CLI::Option* open_positional(const CLI::App& app, const std::vector<std::string>& words) {
  std::size_t given = 0;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const CLI::Option* option = option_named(app, words[i]);
    if (option != nullptr && !is_flag(*option)) ++i;
    if (option == nullptr && !words[i].starts_with('-')) ++given;
  }
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    if (given == 0 || option->get_expected_max() > 1) return option;
    --given;
  }
  return nullptr;
}

Candidates candidates_for(const CLI::App& app, const std::vector<std::string>& words) {
  const std::string& typed = words.back();
  if (words.size() > 1)
    if (const CLI::Option* option = option_named(app, words[words.size() - 2]))
      if (!is_flag(*option)) return values_of(option->get_type_name(), words);
  if (const std::size_t equals = typed.find('='); typed.starts_with("--") && equals != typed.npos) {
    const CLI::Option* option = option_named(app, typed.substr(0, equals));
    if (option == nullptr) return {};
    Candidates values = values_of(option->get_type_name(), words);
    for (Candidate& value : values) value.word = typed.substr(0, equals + 1) + value.word;
    return values;
  }
  if (typed.starts_with('-')) return option_names(app);
  const CLI::Option* positional = open_positional(app, words);
  if (positional == nullptr) return option_names(app);
  return values_of(positional->get_type_name(), words);
}

Candidates candidates(const std::vector<std::string>& words) {
  const Words split = split_words({words.begin(), words.end() - 1});
  CLI::App app;
  app.set_help_flag("");
  GlobalOptions globals;
  if (split.command.empty()) {
    add_global_options(app, globals, Effect::changes);
    const CLI::Option* before =
        words.size() > 1 ? option_named(app, words[words.size() - 2]) : nullptr;
    const bool value_open = before != nullptr && !is_flag(*before);
    if (!value_open && !words.back().starts_with('-')) return command_names();
    return candidates_for(app, words);
  }
  if (split.command == "help") return command_names();
  const Command* command = find_command(split.command);
  if (command == nullptr) return {};
  declare_command(*command, app, globals);
  std::vector<std::string> rest = split.rest;
  rest.push_back(words.back());
  return candidates_for(app, rest);
}

}  // namespace

std::string complete(std::vector<std::string> words) {
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  if (words.empty()) return {};
  std::string out;
  try {
    for (const Candidate& candidate : candidates(words)) {
      const bool fits = candidate.word.starts_with(words.back()) || candidate.word.front() == ':';
      if (fits)
        out += candidate.word + (candidate.about.empty() ? "" : "\t" + candidate.about) + "\n";
    }
  } catch (const std::exception&) {
    return {};  // a completion that complains is worse than one that is silent
  }
  return out;
}

}  // namespace bkp
