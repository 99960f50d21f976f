#include "examples/app/run/plan.hpp"
#include "examples/app/settings/config.hpp"

#include <utility>

#include "tensor/error.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

namespace {

/// `over` on top of `values`.
void add(Values& values, const Values& over) {
  for (const auto& [name, value] : over) values[name] = value;
}

/// What the request and its `config` say.
Values chosen_by(const Request& request) {
  Values chosen;
  if (!request.config.empty()) chosen = parse_config(read_file(request.config), request.config);
  add(chosen, request.given);
  return chosen;
}

/// The plan for a run that is there: `chosen` over its own settings. `purpose` is a verb for messages.
Plan existing(RunDirectory directory, const Values& chosen, Shared must_agree, const char* purpose) {
  Plan plan{{}, std::move(directory), {}};
  const RunDirectory& run = plan.run;
  if (run.has_checkpoint()) plan.checkpoint = nn::load_checkpoint(run.checkpoint_path());

  Values recorded;  // what the run was made with: the checkpoint knows best
  Values base;      // what applies where nothing was chosen: config.toml, which somebody may have edited since
  if (run.has_config()) base = recorded = parse_config(read_file(run.config_path()), run.config_path());
  if (plan.checkpoint) {
    require<FormatError>(plan.checkpoint->notes.count("settings") > 0, "{}: not a checkpoint of this program",
                         run.checkpoint_path());
    recorded = parse_config(plan.checkpoint->notes["settings"], run.checkpoint_path());
    if (base.empty()) base = recorded;
  }
  add(base, chosen);
  plan.settings = resolve(base);
  const std::string conflict = conflicts(plan.settings, resolve(recorded), must_agree);
  require(conflict.empty(), "cannot {} the run in {}: {}", purpose, run.path(), conflict);
  return plan;
}

Plan plan_in(RunDirectory run, const Request& request, const Values& chosen) {
  if (!request.resume) {
    Settings settings = resolve(chosen);
    run.require_no_run();
    return {std::move(settings), std::move(run), {}};
  }
  require(run.has_checkpoint() || run.has_config(),
          "{} holds no run to resume: there is no checkpoint and no config.toml", run.path());
  run.claim();
  return existing(std::move(run), chosen, Shared::ToResume, "resume");
}

}  // namespace

Plan make_plan(const Request& request) {
  const Values chosen = chosen_by(request);
  return plan_in(request.out.empty() ? RunDirectory::numbered(request.runs + "/" + resolve(chosen).dataset)
                                     : RunDirectory(request.out),
                 request, chosen);
}

Plan make_plan(const Request& request, RunDirectory directory) {
  return plan_in(std::move(directory), request, chosen_by(request));
}

Plan open_run(const std::string& directory, const Values& given) {
  RunDirectory run(directory);
  require(run.has_checkpoint(), "{} holds no run to evaluate: there is no {}", run.path(), run.checkpoint_path());
  return existing(std::move(run), given, Shared::ToEval, "evaluate");
}

}  // namespace xtg::app
