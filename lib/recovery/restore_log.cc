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

AlertRecord alert_of(const RestoreSubject& subject) {
  AlertRecord alert;
  alert.severity = AlertSeverity::critical;
  alert.type = subject.proof_of.empty() ? "RESTORE_FAILURE" : "TEST_RESTORE";
  alert.dedup_key = fmt::format("{}:{}", alert.type,
                                subject.proof_of.empty() ? subject.target : subject.proof_of);
  alert.message = subject.proof_of.empty()
                      ? fmt::format("restore of backup '{}' into '{}' failed", subject.backup_id,
                                    subject.target)
                      : fmt::format("test restore of backup '{}' of database '{}' failed",
                                    subject.backup_id, subject.proof_of);
  return alert;
}

void raise_failure(Context& context, const RestoreSubject& subject, const RestoreRecord& record) {
  AlertRecord alert = alert_of(subject);
  alert.id = Uuid::random().text();
  alert.message += ": " + record.error;
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

LoggedRestore try_logged_restore(Context& context, const RestoreSubject& subject,
                                 const std::function<void(RestoreRecord&)>& work) {
  LoggedRestore logged{begin_record(context, subject), nullptr};
  RestoreRecord& record = logged.record;
  context.catalog.put_restore(record);
  try {
    work(record);
  } catch (const std::exception& failure) {
    logged.failure = std::current_exception();
    const InterruptShield shield;
    end_record(context, record, "FAILED", describe(logged.failure));
    if (!is_locked(failure)) raise_failure(context, subject, record);
    return logged;
  }
  const bool done = record.outcome == "RUNNING";
  end_record(context, record, done ? "DONE" : record.outcome, "");
  if (done) context.catalog.resolve_alert(alert_of(subject).dedup_key, context.clock.now());
  return logged;
}

RestoreRecord logged_restore(Context& context, const RestoreSubject& subject,
                             const std::function<void(RestoreRecord&)>& work) {
  LoggedRestore logged = try_logged_restore(context, subject, work);
  if (logged.failure) std::rethrow_exception(logged.failure);
  return std::move(logged.record);
}

void close_killed_restores(Context& context, const RestoreRecord& own) {
  for (RestoreRecord& record : context.catalog.restores(kLookedAt))
    if (record.outcome == "RUNNING" && record.id != own.id && record.target == own.target &&
        record.host == own.host)
      end_record(context, record, "FAILED", "killed before it could say how it ended");
}

}  // namespace bkp
