//! A child process that dies with this one.
#![expect(unsafe_code, reason = "what runs between fork and exec is unsafe by its nature; here it is one system call")]

use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: Command) -> std::io::Result<Self> {
        start_from_the_thread_that_stays(command).map(Self)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // One that is gone already needs no signal.
            _ = kill_process(pid, signal);
        }
    }

    /// `Some` with how it ended, once it did.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.0.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Waits for the end; kills what has not ended within `wait`.
    pub(crate) fn wait(mut self, wait: Duration) {
        let deadline = Instant::now() + wait;
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

type Order = (Command, mpsc::Sender<std::io::Result<Child>>);

/// Linux ties a child's death to the *thread* that started it, and the thread of a test ends with the test, while a
/// broker may serve many. So all children are started by one thread that stays as long as the process.
fn start_from_the_thread_that_stays(command: Command) -> std::io::Result<Child> {
    static STARTER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, next) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, started) in next {
                // Safety: one system call, which touches no memory of ours.
                #[cfg(target_os = "linux")]
                unsafe {
                    command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
                }
                _ = started.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let gone = || std::io::Error::other("the thread that starts processes is gone");
    let (started, answer) = mpsc::channel();
    starter.lock().unwrap_or_else(PoisonError::into_inner).send((command, started)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}
