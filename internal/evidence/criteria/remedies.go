package criteria

import "maps"

// remedies say of each criterion, by its id, what to do where it is not met.
func remedies() map[string]string {
	all := contextRemedies()
	for _, more := range []map[string]string{supportRemedies(), evaluationRemedies(), organisationRemedies(), lifecycleRemedies(), useRemedies()} {
		maps.Copy(all, more)
	}
	return all
}

func contextRemedies() map[string]string {
	return map[string]string{
		"4.1/1":   "Review the context; enter `reviewed` and `review_by` in the record of the organisation.",
		"4.1/2":   "Enter `climate_relevant` and `climate_reason` in the record of the organisation.",
		"4.1/3":   "Enter role and purposes in the record of the agent; write one for each agent that has none.",
		"4.2/1":   "Enter what each interested party requires, with a decision on each requirement and a reason where it is not addressed.",
		"4.2/2":   "Name under `through` what addresses the requirement; of an obligation, enter `applies` and to whom it is owed.",
		"4.3/1":   "Write the scope, review it, and have it approved by somebody else: `aims approve scope ID`.",
		"4.3/2":   "Enter `in_scope` and `scope_reason` in the record of the agent.",
		"4.3/3":   "Write a record of the agent and take it into the scope, or have its exclusion approved; stop an agent that nobody knows: `aims stop --agent`.",
		"4.4/1":   "Name an owner of each clause that has none (`requirement_owner`); `aims status` of the others says what each of them lacks.",
		"5.1/1":   "Have the AI policy approved by somebody who holds a role of top management: `aims approve document ID`.",
		"5.1/2":   "Have the next management review chaired by top management, and name who chaired it.",
		"5.2/1":   "Write or review the AI policy, and have its present version approved by somebody else: `aims approve document ID`.",
		"5.2/2":   "Ask those who must know it to read it and to acknowledge it: `aims acknowledge document ID`.",
		"5.2/3":   "Name the rule under a statement of the AI policy that it serves, have the policy approved, or take the rule out of force.",
		"5.3/1":   "Assign the role to somebody, and enter when they accepted it (`assignment`).",
		"5.3/2":   "Look at these approvals; assign the role that entitles, or have somebody entitled decide again.",
		"5.3/3":   "Review who may do what, carry out what is to be revoked, and record both (`access_review`).",
		"6.1.1/1": "Have the risk criteria approved: `aims approve risk_criteria ID`; assess anew what was assessed before.",
		"6.1.1/2": "Enter owner and decision in the record of the risk.",
		"6.1.1/3": "Enter the opportunities that you see, as risks with `opportunity: true`.",
		"6.1.2/1": "Assess the risks of the agent again, and enter the day under `assessed`.",
		"6.1.2/2": "Enter in the risk what would happen to the organisation, to individuals and to societies, or why nothing would.",
		"6.1.2/3": "Put the risk on the scales of its criteria; treat what is above the limit, or have it accepted: `aims accept risk ID`.",
		"6.1.3/1": "Decide on each control of Annex A with a reason (`applicability`).",
		"6.1.3/2": "Name risks, obligations or requirements in the decision on the control; treat the risk or have it accepted: `aims accept risk ID`.",
		"6.1.3/3": "Look at the decisions again after the assessment, and have them approved: `aims approve applicability ID`.",
		"6.1.3/4": "Enter the rule or the document that puts the control into practice, or call it planned.",
		"6.1.4/1": "Assess the impact of the agent again, and have it approved: `aims approve impact_assessment ID`.",
		"6.1.4/2": "Assess what is new and enter it in the impact assessment, or take it away from the agent.",
		"6.1.4/3": "Enter the risks that the assessment found, and name them in it.",
		"6.2/1":   "Complete the record of the objective.",
		"6.2/2":   "Record a value of the measure in the monitoring plan, or let the work begin from which it is computed; `aims measures` lists what is computed.",
		"6.3/1":   "Have the policy approved by somebody else (`aims policy approve`), and raise a nonconformity for the time without.",
		"6.3/2":   "Record the change (`change`; of a policy with its digest under `after`), have it approved, or raise a nonconformity about it.",
	}
}

func supportRemedies() map[string]string {
	return map[string]string{
		"7.1/1":   "Decide on the resources of the coming period, and have the plan approved: `aims approve resource_plan ID`.",
		"7.1/2":   "Decide what waits, do or extend with a reason what is overdue, and take the load to the management review.",
		"7.2/1":   "Enter what the role takes (`competences`), and what shows that its holders have it (`training`).",
		"7.2/2":   "Give the approver the role and the training that it takes, and record both, or let somebody else release.",
		"7.3/1":   "Ask those who must know it to acknowledge it (`aims acknowledge document ID`), or record why they do not (`excused`).",
		"7.4/1":   "Add the topic to the plan of communication; send what is due, and record when.",
		"7.5.1/1": "Write the missing items or have them approved; a document says under `items` which clause it is for.",
		"7.5.2/1": "Name an owner, and have the present version approved by somebody else: `aims approve document ID`.",
		"7.5.3/1": "Have an internal audit test the log: `aims audit run`; look at each exception that it found.",
		"7.5.3/2": "Find out why it was erased early, and raise a nonconformity; restore it from a backup if there is one.",
		"7.5.3/3": "Find out who erased without a rule, and raise a nonconformity; have the log tested: `aims audit run`.",
		"8.1/1":   "Have the log tested (`aims audit run`), and raise a nonconformity for what cannot be explained.",
		"8.1/2":   "Have the policy approved by somebody else (`aims policy approve`), and find out why it decided when it was not in force.",
		"8.1/3":   "Look at what changed (`aims tools list`), and approve the new definition or forget the tool.",
		"8.1/4":   "Have an internal audit decide again: `aims audit run`; look at each exception that it found.",
		"8.2/1":   "Assess the risks of the agent again, and enter the day under `assessed`.",
		"8.2/2":   "Assess the risks of the agent after this change, and enter the day under `assessed`.",
		"8.3/1":   "Do the treatment and enter `done`, or extend it with a reason.",
		"8.3/2":   "Look whether the treatment works, by a rehearsal or by measures, and enter that under `effective`.",
		"8.4/1":   "Assess the impact of the agent and have it approved (`aims approve impact_assessment ID`), or take it out of operation: `aims agents move`.",
		"8.4/2":   "Screen the change: enter `significant` and `screening`; assess the impact again where it is significant.",
	}
}

func evaluationRemedies() map[string]string {
	return map[string]string{
		"9.1/1":   "Record the value of the interval, or let the work begin from which it is computed; `aims measures` shows the series.",
		"9.1/2":   "Say under the value, or by an attachment, what it rests on.",
		"9.1/3":   "Find out why, and answer it: assess the incident, or raise a nonconformity about 9.1.",
		"9.2.1/1": "Hold the planned audit and enter `held`, or plan one within the cycle (`audit_programme`).",
		"9.2.1/2": "Conclude the audit and enter its conclusion; hold one before stage 2.",
		"9.2.2/1": "Have somebody else audit this, or give the record another owner.",
		"9.2.2/2": "Name an owner of the finding and a day.",
		"9.3.1/1": "Hold the review, and enter `held` and who took part; plan one before stage 2.",
		"9.3.2/1": "Freeze the inputs before the review is held: `aims review freeze ID`.",
		"9.3.3/1": "Enter owner and due date of the decision; take what is overdue to somebody above, and enter `escalated`.",
		"10.1/1":  "Take up improvements in the management review, and finish what was taken up.",
		"10.2/1":  "Raise a nonconformity that names the receipt or the record as evidence: `aims nonconformity raise`.",
		"10.2/2":  "Reopen it, and have somebody look whether its actions helped: `aims nonconformity reopen`.",
		"10.2/3":  "Reopen it, and close it once there was time in which it could have come back.",
	}
}

func organisationRemedies() map[string]string {
	return map[string]string{
		"A.2.2/1": "Write or review the AI policy, and have its present version approved by somebody else: `aims approve document ID`.",
		"A.2.2/2": "Put a rule for the statement in force and name it there, or no longer call the statement enforceable; `aims policy coverage` shows which rules decide.",
		"A.2.3/1": "Compare the two policies, and enter under `related` when the other one changed and when you compared them.",
		"A.2.4/1": "Review the AI policy, and enter `reviewed` and the day of the next review, `review_by`.",
		"A.3.2/1": "Enter an owner and an overseer who are with the organisation in the record of the agent.",
		"A.3.2/2": "Let somebody else release calls of this agent, or give it another operator.",
		"A.3.3/1": "Report a concern as a test, and follow it to its answer: `aims concern report`.",
		"A.3.3/2": "Acknowledge concerns in time: `aims concern list`, `aims concern acknowledge`.",
		"A.4.2/1": "Enter what the agent uses in its record, or take it away from the agent.",
		"A.4.3/1": "Name in the record of the agent the data behind this server (`data_source`, with the server under `servers`).",
		"A.4.4/1": "Enter the server or the tool in the register (`server`, `tool`).",
		"A.4.4/2": "Review the tool or its server, and enter `reviewed` and `review_by`; pin a tool that has no pin: `aims tools approve`.",
		"A.4.5/1": "Enter the machines (`compute`), and name them in the record of the agent.",
		"A.4.6/1": "Name the stage and the competences in a role, assign it, and record training or experience.",
		"A.5.2/1": "Write the process down as a document that names A.5.2 under `requirements`, and have it approved: `aims approve document ID`.",
		"A.5.2/2": "Enter `triggers` in the assessment, with `review_by` for an interval; assess again after an incident, and have it approved.",
		"A.5.3/1": "Write an impact assessment; where one reads otherwise than the log says, make the registers again from the log: `aims log registers`.",
		"A.5.3/2": "Enter a `retention_rule` for registers.",
		"A.5.4/1": "Enter in the assessment each group that is affected, with severity and mitigation.",
		"A.5.4/2": "Assess what this data means for the people in it, and enter it in the impact assessment, or take it away from the agent.",
		"A.5.5/1": "Enter under `societal` whether there are effects on societies, and which or why none.",
	}
}

func lifecycleRemedies() map[string]string {
	return map[string]string{
		"A.6.1.2/1": "Give the objective a measure that a gate looks at, and enter `gate: true`.",
		"A.6.1.3/1": "Lead the agent through the gate in its present version: `aims agents gate`, `aims agents move`.",
		"A.6.1.3/2": "Write the process down as a document that names A.6.1.3 under `requirements`, and have it approved: `aims approve document ID`.",
		"A.6.2.2/1": "Have the specification approved, and give each acceptance criterion its scenarios or evaluations and the controls that it serves.",
		"A.6.2.3/1": "Bring the design up to the build: enter the same digest as `build` of the agent and `as_built` of the design, and have that approved.",
		"A.6.2.4/1": "Run what the acceptance criteria name for this version: `aims rehearse --active --record`, or enter an `evaluation`.",
		"A.6.2.4/2": "Rehearse the whole threat model, and record it: `aims rehearse --active --record`.",
		"A.6.2.4/3": "Rehearse the policy in force, and record it: `aims rehearse --active --record`; mend the policy where a scenario ended otherwise.",
		"A.6.2.5/1": "Register the agent, lead it through the gate, and raise a nonconformity for the calls before.",
		"A.6.2.5/2": "Write a plan for the deployment (a document of the type plan) or a change with its day, and have it approved.",
		"A.6.2.6/1": "Add a line about the agent to the monitoring plan; retire an agent that does nothing any more: `aims agents move`.",
		"A.6.2.6/2": "Stop an agent and resume it as an exercise: `aims stop`, `aims resume`.",
		"A.6.2.7/1": "Bring the technical documentation up to the version of the agent, and have it approved: `aims approve document ID`.",
		"A.6.2.8/1": "Find out whether the agent was idle or works past the gateway: `aims audit run`; retire it if nobody needs it.",
		"A.6.2.8/2": "Have an internal audit test the log: `aims audit run`; look at each exception that it found.",
		"A.6.2.8/3": "Enter a `retention_rule` for receipts, with days and a reason.",
		"A.7.2/1":   "Enter owner and process in the record of the data source.",
		"A.7.3/1":   "Enter source and rights in the record of the data source.",
		"A.7.4/1":   "Enter quality criteria of the data, check them, and enter day and result; mend the data where a check failed.",
		"A.7.5/1":   "Enter which data lies behind the server (`servers` of a data source), and what is known of its history (`provenance`).",
		"A.7.5/2":   "Enter what is known of the history of the data (`provenance`), also where that is little.",
		"A.7.6/1":   "Enter the steps by which data is prepared, with the digest of their configuration, and the version of the data.",
	}
}

func useRemedies() map[string]string {
	return map[string]string{
		"A.8.2/1":  "Bring the information for users up to the version of the agent, and have it approved: `aims approve document ID`.",
		"A.8.3/1":  "Add a line on concerns to the plan of communication, with a way that people outside can take.",
		"A.8.3/2":  "Look at concerns in time: `aims concern list`, `aims concern triage`.",
		"A.8.4/1":  "Decide whom to tell, or that nobody is told, and why: `aims incident decide`.",
		"A.8.4/2":  "Add a line on incidents to the plan of communication.",
		"A.8.5/1":  "Inform them and enter `done`; where that was late, raise a nonconformity.",
		"A.9.2/1":  "Try the oversight point with a call that it must hold, or name the rule that is in force now in the record of the agent.",
		"A.9.2/2":  "Write the process down as a document that names A.9.2 under `requirements`, and have it approved: `aims approve document ID`.",
		"A.9.3/1":  "Set objectives of responsible use, each with a measure, or with a note why there is none.",
		"A.9.4/1":  "Enter purpose or tool in the record of the agent and assess that, or forbid it by policy.",
		"A.9.4/2":  "Draw a sample of decisions (`aims audit sample AUDIT decisions`), and enter what was found of each item: `aims audit result`.",
		"A.10.2/1": "Enter the supplier of each model, server and machine, and under `responsibilities` who does what.",
		"A.10.3/1": "Assess the supplier, and enter day, result and until when it counts; replace one that was refused.",
		"A.10.3/2": "Pin the definition of the tool: `aims tools approve`.",
		"A.10.4/1": "Name under `through` the decision on the control that keeps the promise, as applicability/ID, or what leads to one.",
	}
}

// beginnings say of criteria whose population can be empty what to do so that it
// is not, where that is something else than the remedy.
func beginnings() map[string]string {
	all := map[string]string{
		"4.2/2":    "Enter interested parties with what they require, and obligations.",
		"5.3/2":    waits,
		"6.1.4/3":  "Assess the impact of each agent, and enter the risks that the assessment finds.",
		"6.3/2":    waits,
		"7.2/2":    waits,
		"7.5.3/2":  "Enter a `retention_rule` for what is kept.",
		"8.3/2":    "Do the treatments that are planned, and enter `done`.",
		"9.2.2/2":  "Hold the planned audit, and enter `held`.",
		"9.3.3/1":  "Hold a management review, and enter its decisions.",
		"10.2/1":   "Let an internal audit test (`aims audit run`) and rehearse (`aims rehearse --active --record`): breaches are looked for in these.",
		"10.2/2":   waits,
		"10.2/3":   waits,
		"A.3.2/2":  waits,
		"A.3.3/2":  waits,
		"A.5.2/2":  "Assess the impact of each agent (`impact_assessment`).",
		"A.5.4/1":  "Assess the impact of each agent (`impact_assessment`).",
		"A.5.5/1":  "Assess the impact of each agent (`impact_assessment`).",
		"A.5.4/2":  "Enter which data agents use (`data_sources` of the agent), and in each `data_source` of which category it is.",
		"A.7.2/1":  "Enter which data agents use: each as a `data_source`, and under `data_sources` of the agent.",
		"A.8.3/2":  waits,
		"A.8.4/1":  waits,
		"A.8.5/1":  "Enter the duties to inform under the obligations that they come from (`inform: true`).",
		"A.9.2/1":  "Name the rules at which people are asked in the record of each agent (`oversight_rules`), and " + deploy,
		"A.10.3/1": "Enter the supplier of each model, server and machine, and assess it.",
		"A.10.4/1": "Enter what customers require, each with a decision (`party` of the type customer).",
	}
	for _, id := range []string{"8.4/1", "8.4/2", "A.3.2/1", "A.6.1.3/1", "A.6.2.4/1", "A.6.2.5/2", "A.6.2.6/1", "A.6.2.7/1", "A.6.2.8/1", "A.8.2/1"} {
		all[id] = "P" + deploy[1:]
	}
	for _, id := range []string{"4.3/3", "5.2/3", "8.1/1", "8.1/2", "8.1/3", "A.4.2/1", "A.4.3/1", "A.4.4/1", "A.4.4/2", "A.6.2.5/1", "A.7.5/1", "A.9.4/1", "A.9.4/2", "A.10.3/2"} {
		all[id] = "Let agents work through the gateway: register one, and give it a key (`aims agents register`, `aims keys create`)."
	}
	return all
}

const (
	waits  = "Nothing for now: it shows by itself with the first of them."
	deploy = "put an agent into operation through the gate: `aims agents gate`, `aims agents move`."
)
