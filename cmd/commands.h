// The table of commands: help, completions, man pages and main all go by it.
#pragma once

#include <span>
#include <string_view>

#include "command.h"

namespace bkp {

std::span<const Command> commands();                 // in the order of `bkp -h`
const Command* find_command(std::string_view name);  // null: there is none
// Throws Error(usage) with the nearest name.
const Command& known_command(std::string_view name);

// Declares the command's options, and those that every command has.
struct GlobalOptions;
Run declare_command(const Command& command, CLI::App& app, GlobalOptions& globals);

// One a command; each in <command>.cc.
Run declare_hold(CLI::App& app);
Run declare_release(CLI::App& app);
Run declare_rm(CLI::App& app);
Run declare_status(CLI::App& app);
Run declare_init(CLI::App& app);
Run declare_doctor(CLI::App& app);
Run declare_key(CLI::App& app);
Run declare_cleanup(CLI::App& app);
Run declare_dump(CLI::App& app);
Run declare_config_snapshot(CLI::App& app);
Run declare_list(CLI::App& app);
Run declare_show(CLI::App& app);
Run declare_cat(CLI::App& app);
Run declare_catalog(CLI::App& app);
Run declare_sync(CLI::App& app);
Run declare_verify(CLI::App& app);
Run declare_restore(CLI::App& app);

}  // namespace bkp
