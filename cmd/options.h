// Options whose values have a form: declared in one line, refused with Error(usage) that names the
// option. The type name is what help shows and what completions offer values for: ID, STORAGE,
// DATABASE, TENANT, FILE, DIR, TIME, DURATION, N, NAME, TEXT, or the choices joined by '|'.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace bkp {

CLI::Option* add_text(CLI::App& app, const std::string& name, std::string& value,
                      const std::string& type, const std::string& about);
CLI::Option* add_text(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                      const std::string& type, const std::string& about);
// May be repeated, and takes several values at once.
CLI::Option* add_texts(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                       const std::string& type, const std::string& about);
// Whole and positive.
CLI::Option* add_count(CLI::App& app, const std::string& name, std::optional<unsigned>& value,
                       const std::string& about);
CLI::Option* add_time(CLI::App& app, const std::string& name, std::optional<TimePoint>& value,
                      const std::string& about);
CLI::Option* add_duration(CLI::App& app, const std::string& name, std::chrono::seconds& value,
                          const std::string& about);
// One of `choices` ("created|size"), in any case; `value` gets it as written in `choices`.
CLI::Option* add_choice(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                        const std::string& choices, const std::string& about);

}  // namespace bkp
