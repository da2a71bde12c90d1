// What every use case works with. References live as long as the command.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "config/config.h"
#include "repo/repository.h"

namespace bkp {

struct Context {
  const Config& config;
  Repository& repository;
  Catalog& catalog;
  const Clock& clock;
  Log& log;
  std::string actor;             // who asked
  std::string job_id;            // the run's id in the catalog
  std::chrono::seconds wait{0};  // how long for a lock that another run holds (--wait)
};

}  // namespace bkp
