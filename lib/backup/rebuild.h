// The catalog made anew from the manifests in storages, with what of its history can be saved.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "repo/repository.h"

namespace bkp {

struct RebuildResult {
  std::string catalog;                // where
  bool made = false;                  // there was none
  std::string damage;                 // why the old one was not gone on with; empty: it was
  std::string moved_to;               // where the damaged one lies now
  std::size_t found = 0;              // backups in the storages
  std::size_t added = 0;              // that the catalog did not know
  std::size_t gone = 0;               // that it took for whole and no storage holds
  std::size_t history = 0;            // restores, alerts and runs saved from a damaged one
  std::vector<std::string> lost;      // of its history: what could not be read
  std::vector<std::string> problems;  // storages that did not answer, manifests that do not open
};

// From `storages`; empty: from all. A catalog that is whole is completed where it is, in one
// transaction, so that whoever has it open loses nothing. A damaged one is moved aside, never
// deleted, and the new one, built beside it, takes its place at once. Throws Error(failed), having
// changed nothing, when no storage answers. One on PostgreSQL is completed, backup by backup. The
// history that travelled to the storages is taken up too. The caller keeps other runs of this host
// away.
RebuildResult rebuild_catalog(const Config& config, Repository& repository, const Clock& clock,
                              Log& log, const std::vector<std::string>& storages);

}  // namespace bkp
