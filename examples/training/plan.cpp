#include "examples/training/plan.hpp"

#include <utility>

#include "tensor/error.hpp"
#include "tensor/file.hpp"

namespace {

/// `over` on top of `values`.
void add(Values& values, const Values& over) {
  for (const auto& [name, value] : over) values[name] = value;
}

/// What the options and --config say.
Values chosen_by(const CommandLine& line) {
  Values chosen;
  if (!line.config.empty()) chosen = parse_config(xtg::read_file(line.config), line.config);
  add(chosen, line.given);
  return chosen;
}

Plan plan_in(RunDirectory directory, const CommandLine& line, const Values& chosen) {
  const bool existing = line.resume || line.eval;
  Plan plan{{}, std::move(directory), {}};
  RunDirectory& run = plan.run;

  if (!existing) {
    plan.settings = resolve(chosen);
    run.require_no_run();
    return plan;
  }
  xtg::require(run.has_checkpoint() || (line.resume && run.has_config()), "{} holds no run to {}: there is no {}",
               run.path(), line.eval ? "evaluate" : "resume",
               line.eval ? run.checkpoint_path() : "checkpoint and no config.toml");
  if (line.resume) run.claim();
  if (run.has_checkpoint()) plan.checkpoint = xtg::nn::load_checkpoint(run.checkpoint_path());

  Values recorded;  // what the run was made with: the checkpoint knows best
  Values base;      // what applies where nothing was chosen: config.toml, which somebody may have edited since
  if (run.has_config()) base = recorded = parse_config(xtg::read_file(run.config_path()), run.config_path());
  if (plan.checkpoint) {
    xtg::require<xtg::FormatError>(plan.checkpoint->notes.count("settings") > 0, "{}: not a checkpoint of this program",
                                   run.checkpoint_path());
    recorded = parse_config(plan.checkpoint->notes["settings"], run.checkpoint_path());
    if (base.empty()) base = recorded;
  }
  add(base, chosen);
  plan.settings = resolve(base);
  const std::string conflict =
      conflicts(plan.settings, resolve(recorded), line.eval ? Shared::ToEval : Shared::ToResume);
  xtg::require(conflict.empty(), "cannot {} the run in {}: {}", line.eval ? "evaluate" : "resume", run.path(),
               conflict);
  return plan;
}

}  // namespace

Plan make_plan(const CommandLine& line) {
  const Values chosen = chosen_by(line);
  return plan_in(
      line.out.empty() ? RunDirectory::numbered(line.runs + "/" + resolve(chosen).dataset) : RunDirectory(line.out),
      line, chosen);
}

Plan make_plan(const CommandLine& line, RunDirectory directory) {
  return plan_in(std::move(directory), line, chosen_by(line));
}
