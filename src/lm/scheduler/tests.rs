//! What runs next, without a model.

use super::*;
use crate::lm::task::PrefillTask;
use crate::stdx::cancel::StopReason;

fn job(lane: Lane) -> Job {
    Job {
        task: PrefillTask { prompt: vec![1] }.into(),
        lane,
        flag: CancelFlag::default(),
        submitted: Instant::now(),
        reply: oneshot::channel().0,
        progress: TaskProgress::default(),
    }
}

fn typed(document: &str, arrival: u64) -> Job {
    job(Lane::Interactive { document: document.into(), arrival })
}

fn name(job: &Job) -> String {
    match &job.lane {
        Lane::Interactive { document, arrival } => format!("{document}{arrival}"),
        Lane::Background => "background".to_owned(),
    }
}

/// What is next, long after anything interactive.
fn next(scheduler: &mut Scheduler) -> (String, Option<Job>) {
    match scheduler.next(Instant::now() + 2 * IDLE_AFTER) {
        NextWork::Run(job) => (name(&job), Some(*job)),
        NextWork::Idle(_) => ("idle".to_owned(), None),
        NextWork::Wait(_) => ("wait".to_owned(), None),
        NextWork::End => ("end".to_owned(), None),
    }
}

/// The next task, when features have nothing to do.
fn run(scheduler: &mut Scheduler) -> Job {
    if let (_, Some(job)) = next(scheduler) {
        return job;
    }
    scheduler.ended(Instant::now());
    scheduler.no_idle_work();
    next(scheduler).1.expect("a job")
}

fn replaced(by: Option<Job>) -> Option<String> {
    by.as_ref().map(name)
}

#[test]
fn of_one_document_the_newest_wins_and_of_several_each_is_answered() {
    let mut scheduler = Scheduler::default();
    assert_eq!(replaced(scheduler.submit(typed("a", 1))), None);
    assert_eq!(replaced(scheduler.submit(typed("a", 3))).as_deref(), Some("a1"));
    // Handed in late.
    assert_eq!(replaced(scheduler.submit(typed("a", 2))).as_deref(), Some("a2"));
    assert_eq!(replaced(scheduler.submit(typed("b", 4))), None);
    let order: Vec<String> = (0..3).map(|_| next(&mut scheduler).0).collect();
    assert_eq!(order, ["b4", "a3", "wait"]);
    assert!(scheduler.is_idle());
}

#[test]
fn what_runs_is_superseded_by_its_own_document_and_preempted_by_another() {
    let mut scheduler = Scheduler::default();
    scheduler.submit(typed("a", 1));
    let first = run(&mut scheduler);
    scheduler.submit(typed("a", 2));
    assert_eq!(first.flag.stop_reason(), Some(StopReason::Superseded));
    scheduler.ended(Instant::now());
    let second = run(&mut scheduler);
    scheduler.submit(typed("b", 3));
    assert_eq!(second.flag.stop_reason(), Some(StopReason::Preempted));
    scheduler.ended(Instant::now());
    assert_eq!(replaced(scheduler.put_back(second)), None);
    assert_eq!(next(&mut scheduler).0, "b3");
    scheduler.ended(Instant::now());
    let again = run(&mut scheduler);
    assert_eq!((name(&again).as_str(), again.flag.stop_reason()), ("a2", None));
}

#[test]
fn a_preempted_task_is_superseded_by_a_newer_one_of_its_document() {
    let mut scheduler = Scheduler::default();
    scheduler.submit(typed("a", 1));
    let first = run(&mut scheduler);
    scheduler.submit(typed("b", 2));
    scheduler.submit(typed("a", 3));
    scheduler.ended(Instant::now());
    assert_eq!(replaced(scheduler.put_back(first)).as_deref(), Some("a1"));
}

#[test]
fn background_work_waits_for_a_pause_gives_way_and_goes_on_first() {
    let mut scheduler = Scheduler::default();
    scheduler.submit(job(Lane::Background));
    scheduler.submit(job(Lane::Background));
    scheduler.submit(typed("a", 1));
    assert_eq!(next(&mut scheduler).0, "a1");
    let now = Instant::now();
    scheduler.ended(now);
    assert!(matches!(scheduler.next(now), NextWork::Wait(Some(at)) if at == now + IDLE_AFTER));
    let mut background = run(&mut scheduler);
    background.progress.embeddings.push(vec![1.0]);
    scheduler.submit(typed("a", 2));
    assert_eq!(background.flag.stop_reason(), Some(StopReason::Preempted));
    scheduler.ended(Instant::now());
    scheduler.put_back(background);
    assert_eq!(next(&mut scheduler).0, "a2");
    scheduler.ended(Instant::now());
    assert_eq!(run(&mut scheduler).progress.embeddings.len(), 1);
    assert_eq!(run(&mut scheduler).progress.embeddings.len(), 0);
}

#[test]
fn idle_work_comes_before_background_work_and_is_interrupted_by_any_change() {
    let mut scheduler = Scheduler::default();
    scheduler.submit(job(Lane::Background));
    scheduler.idle_work_changed();
    let NextWork::Idle(flag) = scheduler.next(Instant::now()) else { panic!("no idle work") };
    assert!(!scheduler.is_idle());
    scheduler.idle_work_changed();
    assert_eq!(flag.stop_reason(), Some(StopReason::Preempted));
    scheduler.ended(Instant::now());
    assert_eq!(next(&mut scheduler).0, "idle");
    scheduler.ended(Instant::now());
    scheduler.no_idle_work();
    assert_eq!(next(&mut scheduler).0, "background");
    scheduler.ended(Instant::now());
    assert_eq!(next(&mut scheduler).0, "wait");
    assert!(scheduler.is_idle());
}

#[test]
fn an_answer_without_the_model_supersedes_older_tasks_of_its_document_only() {
    let mut scheduler = Scheduler::default();
    scheduler.submit(typed("a", 1));
    let running = run(&mut scheduler);
    scheduler.submit(typed("b", 2));
    scheduler.ended(Instant::now());
    scheduler.put_back(running);
    assert_eq!(replaced(scheduler.give_way(&"a".into(), 3)).as_deref(), Some("a1"));
    assert_eq!(replaced(scheduler.give_way(&"a".into(), 2)), None);
    assert_eq!(replaced(scheduler.submit(typed("a", 2))).as_deref(), Some("a2"));
    assert_eq!(next(&mut scheduler).0, "b2");
}

#[test]
fn of_too_many_documents_the_oldest_is_superseded() {
    let mut scheduler = Scheduler::default();
    for n in 0..MAX_WAITING_DOCUMENTS {
        assert_eq!(replaced(scheduler.submit(typed(&format!("d{n}-"), n as u64))), None);
    }
    assert_eq!(replaced(scheduler.submit(typed("more", 99))).as_deref(), Some("d0-0"));
}

#[test]
fn a_closed_scheduler_takes_nothing_in() {
    let mut scheduler = Scheduler::default();
    scheduler.submit(typed("a", 1));
    let running = run(&mut scheduler);
    scheduler.close();
    assert_eq!(running.flag.stop_reason(), Some(StopReason::Closed));
    assert_eq!(replaced(scheduler.submit(typed("a", 2))), None);
    assert_eq!(next(&mut scheduler).0, "end");
}

#[test]
fn after_an_answer_features_are_asked_for_work_without_being_woken() {
    let mut scheduler = Scheduler::default();
    assert!(matches!(scheduler.next(Instant::now()), NextWork::Wait(None)));
    assert!(scheduler.idle_work_changed());
    scheduler.submit(typed("a", 1));
    run(&mut scheduler);
    let now = Instant::now();
    scheduler.ended(now);
    assert!(matches!(scheduler.next(now), NextWork::Wait(Some(_))));
    assert!(!scheduler.idle_work_changed());
    assert_eq!(next(&mut scheduler).0, "idle");
}

#[test]
fn a_task_that_is_handed_in_late_does_not_preempt_a_newer_one_of_another_document() {
    let mut scheduler = Scheduler::default();
    scheduler.submit(typed("a", 2));
    let newest = run(&mut scheduler);
    scheduler.submit(typed("b", 1));
    assert_eq!(newest.flag.stop_reason(), None);
    scheduler.ended(Instant::now());
    assert_eq!(next(&mut scheduler).0, "b1");
}
