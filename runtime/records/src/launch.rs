//! How this process was started: alone, or as one of several ranks by torchrun, Slurm or `crisscross run --ranks`.
//!
//! Only variables of the environment are read. A process that says of itself that it is one of several, and not where the others
//! are, is refused: training on alone would give another result under the same name.

use std::collections::BTreeMap;

/// One of several processes that run one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Its number, from 0.
    pub rank: usize,
    /// How many there are.
    pub ranks: usize,
    /// Its number among those of this machine, which is that of its GPU.
    pub local_rank: usize,
    /// How many there are on this machine.
    pub local_ranks: usize,
    /// The machine of rank 0, as the others reach it.
    pub host: String,
    /// Where the store of this run listens there.
    pub port: u16,
    /// In front of all keys of the store, where the starter serves it already; else rank 0 serves it.
    pub served: Option<String>,
    /// Whether the starter has given this process cores of its own.
    pub has_own_cores: bool,
}

/// The port that rank 0 listens at where Slurm started the ranks and nobody names one: in this range by the number of the job, below
/// the ports that systems hand out.
const SLURM_PORTS: (u64, u64) = (15_000, 15_000);

impl Launch {
    /// Reads the variables with `variable`. `None` for a process that was started alone.
    ///
    /// torchrun's variables count before Slurm's; of both, `MASTER_ADDR` and `MASTER_PORT`.
    ///
    /// # Errors
    /// What is missing or wrong, and what to do.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Misfit> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let is_set = |name: &&str| set(name).is_some();
        // The step is what `srun` starts; the shell of a job has no step.
        let is_step = SLURM_STEP.iter().any(is_set);
        let launch = if ["RANK", "LOCAL_RANK"].iter().any(is_set) {
            torchrun(&set)?
        } else if is_step {
            slurm(&set)?
        } else if is_set(&"WORLD_SIZE") {
            torchrun(&set)?
        } else {
            let tasks = number(&set, "SLURM_NTASKS")?;
            if set("SLURM_PROCID").is_some() && tasks.is_some_and(|tasks| tasks > 1) {
                return Err(Misfit {
                    message: format!(
                        "this is the shell of a job with {} tasks, and none of its tasks",
                        tasks.unwrap_or_default()
                    ),
                    help: "start the ranks with `srun crisscross run ...`, or some on this machine with `--ranks N`"
                        .to_owned(),
                });
            }
            return Ok(None);
        };
        if launch.rank >= launch.ranks || launch.local_rank >= launch.local_ranks {
            return Err(Misfit {
                message: format!(
                    "rank {} of {} ({} of {} on this machine) is out of range",
                    launch.rank, launch.ranks, launch.local_rank, launch.local_ranks
                ),
                help: "ranks are counted from 0: look at the variables that the starter sets"
                    .to_owned(),
            });
        }
        Ok((launch.ranks > 1).then_some(launch))
    }

    /// [`Launch::read`] from the environment of this process.
    ///
    /// # Errors
    /// As there.
    pub fn of_this_process() -> Result<Option<Self>, Misfit> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// The variables that make [`Launch::read`] read this.
    pub fn variables(&self) -> BTreeMap<&'static str, String> {
        let mut variables = BTreeMap::from([
            ("RANK", self.rank.to_string()),
            ("WORLD_SIZE", self.ranks.to_string()),
            ("LOCAL_RANK", self.local_rank.to_string()),
            ("LOCAL_WORLD_SIZE", self.local_ranks.to_string()),
            ("MASTER_ADDR", self.host.clone()),
            ("MASTER_PORT", self.port.to_string()),
        ]);
        if self.served.is_some() {
            variables.insert(AGENT_STORE, "True".to_owned());
            variables.insert(RESTARTS, "0".to_owned());
        }
        variables
    }

    /// Whether rank 0 runs on this machine and all others do as well.
    pub fn is_local(&self) -> bool {
        self.ranks == self.local_ranks
    }

    /// The cores that this process may take of `cores` that the system lets it use: a share, where others use them too.
    pub fn share_of(&self, cores: usize) -> usize {
        if self.has_own_cores {
            cores.max(1)
        } else {
            (cores / self.local_ranks.max(1)).max(1)
        }
    }
}

/// Variables of a start that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What is missing or wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// torchrun's, where its agent serves the store, and how often it has started the ranks anew.
const AGENT_STORE: &str = "TORCHELASTIC_USE_AGENT_STORE";
const RESTARTS: &str = "TORCHELASTIC_RESTART_COUNT";

/// Of these, Slurm sets at least one in a step and none in the shell of a job.
const SLURM_STEP: [&str; 3] = [
    "SLURM_STEP_ID",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_STEP_NODELIST",
];

fn torchrun(set: &impl Fn(&str) -> Option<String>) -> Result<Launch, Misfit> {
    const NEEDED: [&str; 5] = [
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "MASTER_ADDR",
        "MASTER_PORT",
    ];
    complete(
        set,
        &NEEDED,
        "torchrun",
        "`torchrun --no-python crisscross run ...` sets them all",
    )?;
    let ranks = needed(set, "WORLD_SIZE")?;
    let is_served = set(AGENT_STORE).is_some_and(|value| value == "True");
    let attempt = set(RESTARTS).unwrap_or_else(|| "0".to_owned());
    Ok(Launch {
        rank: needed(set, "RANK")?,
        ranks,
        local_rank: needed(set, "LOCAL_RANK")?,
        local_ranks: number(set, "LOCAL_WORLD_SIZE")?.unwrap_or(ranks),
        host: set("MASTER_ADDR").unwrap_or_default(),
        port: port(needed(set, "MASTER_PORT")?)?,
        served: is_served.then(|| format!("/crisscross/{attempt}")),
        has_own_cores: false,
    })
}

fn slurm(set: &impl Fn(&str) -> Option<String>) -> Result<Launch, Misfit> {
    // Those of the step, and those of the job where a step has none of its own.
    let either = |of_step: &str, of_job: &str| set(of_step).or_else(|| set(of_job));
    let mut missing: Vec<&str> = ["SLURM_PROCID", "SLURM_LOCALID", "SLURM_JOB_ID"]
        .into_iter()
        .filter(|name| set(name).is_none())
        .collect();
    let tasks = either("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS");
    let nodes =
        either("SLURM_STEP_NODELIST", "SLURM_NODELIST").or_else(|| set("SLURM_JOB_NODELIST"));
    if tasks.is_none() {
        missing.push("SLURM_NTASKS");
    }
    if nodes.is_none() && set("MASTER_ADDR").is_none() {
        missing.push("SLURM_STEP_NODELIST");
    }
    if !missing.is_empty() {
        return Err(lacking(
            &missing,
            "Slurm",
            "`srun crisscross run ...` in a job sets them all",
        ));
    }
    let named =
        |name: &'static str| move |asked: &str| (asked == name).then(|| tasks.clone()).flatten();
    let ranks: usize = needed(&named("SLURM_NTASKS"), "SLURM_NTASKS")?;
    let per_node = either("SLURM_STEP_TASKS_PER_NODE", "SLURM_TASKS_PER_NODE");
    let node = number(set, "SLURM_NODEID")?.unwrap_or(0);
    let local_ranks = per_node
        .and_then(|counts| tasks_of(&counts, node))
        .unwrap_or(ranks);
    let host = set("MASTER_ADDR").or_else(|| nodes.as_deref().and_then(first_host));
    let Some(host) = host else {
        return Err(Misfit {
            message: format!(
                "no first machine can be read from `{}`",
                nodes.unwrap_or_default()
            ),
            help: "set MASTER_ADDR to the machine of rank 0".to_owned(),
        });
    };
    let job = needed(set, "SLURM_JOB_ID")? as u64;
    let step = number(set, "SLURM_STEP_ID")?.unwrap_or(0) as u64;
    let (from, count) = SLURM_PORTS;
    let by_job = (from + job.wrapping_add(step) % count) as usize;
    let binding = set("SLURM_CPU_BIND_TYPE").or_else(|| set("SLURM_CPU_BIND"));
    Ok(Launch {
        rank: needed(set, "SLURM_PROCID")?,
        ranks,
        local_rank: needed(set, "SLURM_LOCALID")?,
        local_ranks,
        host,
        port: port(number(set, "MASTER_PORT")?.unwrap_or(by_job))?,
        served: None,
        has_own_cores: binding
            .is_some_and(|kind| kind.contains("mask_cpu") || kind.contains("map_cpu")),
    })
}

fn complete(
    set: &impl Fn(&str) -> Option<String>,
    names: &[&str],
    starter: &str,
    help: &str,
) -> Result<(), Misfit> {
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| set(name).is_none())
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(lacking(&missing, starter, help)),
    }
}

fn lacking(missing: &[&str], starter: &str, help: &str) -> Misfit {
    Misfit {
        message: format!(
            "some of {starter}'s variables are set, and not {}",
            missing.join(", ")
        ),
        help: format!("{help}; to train in one process, unset the others"),
    }
}

fn number(set: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<usize>, Misfit> {
    let Some(value) = set(name) else {
        return Ok(None);
    };
    let read = value.trim().parse().map(Some);
    read.map_err(|_| Misfit {
        message: format!("{name} is `{value}`, which is no number"),
        help: "it is set by torchrun or Slurm: look at what overwrites it".to_owned(),
    })
}

fn needed(set: &impl Fn(&str) -> Option<String>, name: &str) -> Result<usize, Misfit> {
    number(set, name)?.ok_or_else(|| lacking(&[name], "torchrun", "it is needed"))
}

fn port(number: usize) -> Result<u16, Misfit> {
    u16::try_from(number)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| Misfit {
            message: format!("MASTER_PORT is {number}, which is no port"),
            help: "write a number from 1 to 65535".to_owned(),
        })
}

/// The first machine of a list as Slurm writes it: `node[001-004,9],x` names `node001` first.
fn first_host(list: &str) -> Option<String> {
    let mut host = String::new();
    let mut rest = list.trim();
    while let Some(c) = rest.chars().next() {
        match c {
            ',' => break,
            '[' => {
                let inside = &rest[1..];
                let end = inside.find(']')?;
                let first = inside[..end].split([',', '-']).next()?;
                host.push_str(first);
                rest = &inside[end + 1..];
            }
            c => {
                host.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    (!host.is_empty()).then_some(host)
}

/// The tasks of a machine by its number, of counts as Slurm writes them: `2(x3),1` are 2, 2, 2 and 1.
fn tasks_of(counts: &str, node: usize) -> Option<usize> {
    let mut before = 0;
    for part in counts.split(',') {
        let (count, times) = match part.trim().split_once("(x") {
            Some((count, times)) => (count, times.trim_end_matches(')').parse().ok()?),
            None => (part.trim(), 1),
        };
        if node < before + times {
            return count.parse().ok();
        }
        before += times;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Launch>, Misfit> {
        let variables: BTreeMap<&str, &str> = text
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .collect();
        Launch::read(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    fn launch(text: &str) -> Launch {
        read(text).unwrap().unwrap()
    }

    const TORCHRUN: &str =
        "RANK=3 LOCAL_RANK=1 WORLD_SIZE=4 LOCAL_WORLD_SIZE=2 MASTER_ADDR=node1 MASTER_PORT=29500";
    const SRUN: &str = "SLURM_PROCID=5 SLURM_LOCALID=1 SLURM_STEP_NUM_TASKS=6 SLURM_STEP_NODELIST=gpu[08-10] SLURM_JOB_ID=4711 \
                        SLURM_STEP_ID=2 SLURM_NODEID=2 SLURM_STEP_TASKS_PER_NODE=2(x3)";

    #[test]
    fn a_process_on_its_own_is_no_rank() {
        for alone in [
            "",
            "MASTER_ADDR=x MASTER_PORT=1",
            "RANK=0 LOCAL_RANK=0 WORLD_SIZE=1 MASTER_ADDR=x MASTER_PORT=1",
            // The shell of a job, of one task or before any step.
            "SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=1 SLURM_NODELIST=a",
            "SLURM_JOB_ID=1 SLURM_NTASKS=4 SLURM_NODELIST=a",
            // One task of a step.
            "SLURM_JOB_ID=1 SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=1 SLURM_STEP_NODELIST=a",
            "RANK= WORLD_SIZE=",
        ] {
            assert_eq!(read(alone), Ok(None), "{alone}");
        }
    }

    #[test]
    fn torchruns_variables_are_read() {
        let found = launch(TORCHRUN);
        assert_eq!(
            (found.rank, found.ranks, found.local_rank, found.local_ranks),
            (3, 4, 1, 2)
        );
        assert_eq!(
            (found.host.as_str(), found.port, found.served.as_deref()),
            ("node1", 29500, None)
        );
        let served = launch(&format!("{TORCHRUN} {AGENT_STORE}=True {RESTARTS}=2"));
        assert_eq!(served.served.as_deref(), Some("/crisscross/2"));
        // They count before Slurm's, inside a job as well.
        assert_eq!(launch(&format!("{TORCHRUN} {SRUN}")).rank, 3);
    }

    #[test]
    fn slurms_variables_are_read() {
        let found = launch(SRUN);
        assert_eq!(
            (found.rank, found.ranks, found.local_rank, found.local_ranks),
            (5, 6, 1, 2)
        );
        assert_eq!((found.host.as_str(), found.port), ("gpu08", 15_000 + 4713));
        let named = launch(&format!(
            "{SRUN} MASTER_ADDR=head MASTER_PORT=999 WORLD_SIZE=6"
        ));
        assert_eq!((named.host.as_str(), named.port), ("head", 999));
        let of_job = "SLURM_PROCID=1 SLURM_LOCALID=1 SLURM_NTASKS=2 SLURM_NODELIST=n7 SLURM_JOB_ID=20000 SLURM_STEP_ID=0";
        let found = launch(of_job);
        assert_eq!(
            (
                found.ranks,
                found.local_ranks,
                found.host.as_str(),
                found.port
            ),
            (2, 2, "n7", 20_000)
        );
        assert!(!found.has_own_cores);
        assert!(launch(&format!("{SRUN} SLURM_CPU_BIND_TYPE=mask_cpu:")).has_own_cores);
    }

    #[test]
    fn what_is_missing_is_listed() {
        let refused = |text: &str| read(text).unwrap_err().message;
        for (text, missing) in [
            ("RANK=0", "LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT"),
            (
                "WORLD_SIZE=2 MASTER_PORT=1",
                "RANK, LOCAL_RANK, MASTER_ADDR",
            ),
            (
                "LOCAL_RANK=0 RANK=0 WORLD_SIZE=2 MASTER_ADDR=x",
                "MASTER_PORT",
            ),
            (
                "SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=2",
                "SLURM_LOCALID, SLURM_JOB_ID, SLURM_STEP_NODELIST",
            ),
            (
                "SLURM_STEP_NODELIST=a",
                "SLURM_PROCID, SLURM_LOCALID, SLURM_JOB_ID, SLURM_NTASKS",
            ),
        ] {
            assert!(
                refused(text).ends_with(missing),
                "{text}: {}",
                refused(text)
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refused = |text: &str| read(text).unwrap_err().message;
        let with = |change: &str| {
            let (name, _) = change.split_once('=').unwrap();
            let rest: Vec<&str> = TORCHRUN
                .split_whitespace()
                .filter(|pair| pair.split_once('=').unwrap().0 != name)
                .collect();
            refused(&format!("{} {change}", rest.join(" ")))
        };
        assert!(with("RANK=x").contains("RANK is `x`"));
        assert!(with("RANK=4").contains("rank 4 of 4"));
        assert!(with("LOCAL_RANK=2").contains("2 of 2 on this machine"));
        assert!(with("MASTER_PORT=70000").contains("70000"));
        assert!(with("MASTER_PORT=0").contains("no port"));
        let shell = "SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=4 SLURM_NODELIST=a";
        assert!(refused(shell).contains("a job with 4 tasks"));
    }

    #[test]
    fn lists_of_machines_and_tasks_are_read_as_slurm_writes_them() {
        for (list, first) in [
            ("n1", "n1"),
            ("n1,n2", "n1"),
            ("node[001-004,9],x", "node001"),
            ("node[7,9]", "node7"),
            ("rack[1-2]n[03-04]-ib,x", "rack1n03-ib"),
        ] {
            assert_eq!(first_host(list).as_deref(), Some(first));
        }
        assert_eq!(first_host(""), None);
        assert_eq!(first_host("n[1"), None);
        let tasks: Vec<_> = (0..5).map(|node| tasks_of("2(x3),1", node)).collect();
        assert_eq!(tasks, [Some(2), Some(2), Some(2), Some(1), None]);
        assert_eq!(tasks_of("many", 0), None);
    }

    #[test]
    fn what_is_written_is_read_again_and_cores_are_shared() {
        let given = Launch {
            rank: 1,
            ranks: 2,
            local_rank: 1,
            local_ranks: 2,
            host: "127.0.0.1".to_owned(),
            port: 4000,
            served: Some("/crisscross/0".to_owned()),
            has_own_cores: false,
        };
        let variables = given.variables();
        let read = Launch::read(|name| variables.get(name).cloned());
        assert_eq!(read, Ok(Some(given.clone())));
        assert!(given.is_local());
        assert_eq!((given.share_of(9), given.share_of(1)), (4, 1));
        let bound = Launch {
            has_own_cores: true,
            ..given
        };
        assert_eq!(bound.share_of(9), 9);
    }
}
