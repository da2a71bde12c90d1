#include "recovery/restore_log.h"

#include <fmt/format.h>

#include <chrono>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/uuid.h"
#include "repo/heartbeat.h"

namespace bkp {
namespace {

constexpr std::size_t kLookedAt = 1000;  // the newest records

RestoreRecord begin_record(const Context& context, const RestoreSubject& subject) {
  RestoreRecord record;
  record.id = Uuid::random().text();
  record.backup_id = subject.backup_id;
  record.mode = subject.mode;
  record.target = subject.target;
  record.reason = subject.reason;
  record.actor = context.actor;
  record.host = host_name();
  record.started_at = context.clock.now();
  record.outcome = "RUNNING";
  return record;
}

void end_record(Context& context, RestoreRecord& record, std::string outcome, std::string error) {
  record.outcome = std::move(outcome);
  record.error = std::move(error);
  record.finished_at = context.clock.now();
  record.duration_seconds =
      std::chrono::duration<double>(*record.finished_at - record.started_at).count();
  context.catalog.put_restore(record);
}

std::string alert_key(const RestoreRecord& record) {
  return fmt::format("RESTORE_FAILURE:{}", record.target);
}

void raise_failure(Context& context, const RestoreRecord& record) {
  AlertRecord alert;
  alert.id = Uuid::random().text();
  alert.type = "RESTORE_FAILURE";
  alert.dedup_key = alert_key(record);
  alert.severity = AlertSeverity::critical;
  alert.message = fmt::format("restore of backup '{}' into '{}' failed: {}", record.backup_id,
                              record.target, record.error);
  alert.backup_id = record.backup_id;
  alert.run_id = context.job_id;
  alert.first_at = alert.last_at = *record.finished_at;
  context.catalog.raise_alert(alert);
}

// That another run is there first is nothing to wake anybody for.
bool is_locked(const std::exception& failure) {
  const auto* error = dynamic_cast<const Error*>(&failure);
  return error && error->code() == ErrorCode::locked;
}

}  // namespace

RestoreRecord logged_restore(Context& context, const RestoreSubject& subject,
                             const std::function<void(RestoreRecord&)>& work) {
  RestoreRecord record = begin_record(context, subject);
  context.catalog.put_restore(record);
  try {
    work(record);
  } catch (const std::exception& failure) {
    const InterruptShield shield;
    end_record(context, record, "FAILED", describe(std::current_exception()));
    if (!is_locked(failure)) raise_failure(context, record);
    throw;
  }
  const bool done = record.outcome == "RUNNING";
  end_record(context, record, done ? "DONE" : record.outcome, "");
  if (done) context.catalog.resolve_alert(alert_key(record), context.clock.now());
  return record;
}

void close_killed_restores(Context& context, const RestoreRecord& own) {
  for (RestoreRecord& record : context.catalog.restores(kLookedAt))
    if (record.outcome == "RUNNING" && record.id != own.id && record.target == own.target &&
        record.host == own.host)
      end_record(context, record, "FAILED", "killed before it could say how it ended");
}

}  // namespace bkp
