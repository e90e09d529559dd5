// The aims command puts AI agents behind a gateway that decides each action by
// policy and records it before it happens.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"aims/internal/app"
)

// cli is the command line. Each command is in the file of its group.
type cli struct {
	Demo  demoCmd  `cmd:"" help:"Start everything in a fresh directory and drive a scripted agent through it."`
	Serve serveCmd `cmd:"" help:"Run the gateway, the decision API, the log and the management API."`

	Connect connectCmd `cmd:"" help:"Be an MCP server on standard input and output for a client that speaks no HTTP."`
	Hook    struct {
		ClaudeCode claudeCodeCmd `cmd:"" name:"claude-code" help:"Decide one hook event of Claude Code, read from standard input."`
	} `cmd:"" help:"Enforcement points of coding agents."`

	Keys struct {
		Create keysCreateCmd `cmd:"" help:"Make a key for an agent or a person; it is shown once."`
		List   keysListCmd   `cmd:"" help:"List all keys."`
		Revoke keysRevokeCmd `cmd:"" help:"End a key at once."`
	} `cmd:"" help:"Keys of agents and people."`
	Actors struct {
		List  actorsListCmd  `cmd:"" default:"withargs" help:"List agents and people with the roles that they hold."`
		Roles actorsRolesCmd `cmd:"" help:"Give an agent or a person roles, or take roles away, from the next call on."`
	} `cmd:"" help:"Who holds which roles."`
	Agents struct {
		List     agentsListCmd     `cmd:"" default:"withargs" help:"List the agents that are registered, have a key or are suspended."`
		Show     agentsShowCmd     `cmd:"" help:"Print everything about one agent."`
		Register agentsRegisterCmd `cmd:"" help:"Register an agent with its stage, purposes and people."`
		Change   agentsChangeCmd   `cmd:"" help:"Change a registered agent, or move it to another stage."`
		Gate     agentsGateCmd     `cmd:"" help:"What is known of an agent before it goes into operation, and what is missing; nothing moves."`
		Move     agentsMoveCmd     `cmd:"" help:"Move a registered agent to another stage; into operation through the gate."`
		Suspend  agentsSuspendCmd  `cmd:"" help:"Refuse whatever an agent asks from now on."`
		Resume   agentsResumeCmd   `cmd:"" help:"End the suspension of an agent."`
	} `cmd:"" help:"Agents, their stages and purposes."`
	Stop   stopCmd   `cmd:"" help:"The kill switch: refuse what an agent asks, or every call to a server or to all."`
	Resume resumeCmd `cmd:"" help:"End a stop."`
	Tools  struct {
		List    toolsListCmd    `cmd:"" help:"List the tools behind the gateway, and what changed in those under quarantine."`
		Approve toolsApproveCmd `cmd:"" help:"Approve the present definition of a tool."`
		Label   toolsLabelCmd   `cmd:"" help:"Say what a tool does, what its results carry and which arguments are sinks."`
		Forget  toolsForgetCmd  `cmd:"" help:"Drop a tool that its server no longer lists."`
	} `cmd:"" help:"Tools and their pins."`
	Approvals struct {
		List  approvalsListCmd  `cmd:"" help:"List the calls that wait for people, newest first."`
		Show  approvalsShowCmd  `cmd:"" help:"Print one: who, what, why it is held, and with which arguments."`
		Grant approvalsGrantCmd `cmd:"" help:"Grant a held call, in a role that it still needs."`
		Deny  approvalsDenyCmd  `cmd:"" help:"Deny a held call, or take a grant back that is not used yet."`
		Wait  approvalsWaitCmd  `cmd:"" help:"Wait until a held call is granted (exit code 0), denied (4) or over (1)."`
	} `cmd:"" help:"Calls that policy holds until people release them."`
	Nonconformity nonconformityCmds `cmd:"" help:"Nonconformities, opportunities and corrective actions."`
	Incident      incidentCmds      `cmd:"" help:"Incidents: what happened, who is told, what follows."`
	Concern       concernCmds       `cmd:"" help:"Concerns that people report, anonymously if they wish."`
	Trust         struct {
		Add    trustAddCmd    `cmd:"" help:"Trust a value as a sink of a kind, whoever names it."`
		List   trustListCmd   `cmd:"" help:"List the trusted directory."`
		Remove trustRemoveCmd `cmd:"" help:"Trust a value no longer."`
	} `cmd:"" help:"Recipients, accounts, addresses and places that calls may choose."`
	Sessions struct {
		List sessionsListCmd `cmd:"" help:"List the runs that are known, those that did something last first."`
		Show sessionsShowCmd `cmd:"" help:"Print what is known of a run: purpose, labels, tools, counters."`
	} `cmd:"" help:"Runs of agents and what is known of them."`
	Policy struct {
		Check    policyCheckCmd    `cmd:"" help:"Check policies against the server's tools, or without a server; nothing changes."`
		Test     policyTestCmd     `cmd:"" help:"Run the tests of a policy bundle."`
		Diff     policyDiffCmd     `cmd:"" help:"What differs between two policy bundles, in text and in behaviour."`
		Publish  policyPublishCmd  `cmd:"" help:"Store a policy bundle under its digest for review."`
		Approve  policyApproveCmd  `cmd:"" help:"Approve a published bundle; its author cannot."`
		Activate policyActivateCmd `cmd:"" help:"Check policies and put them in force."`
		Rollback policyRollbackCmd `cmd:"" help:"Put the policies in force again that were before."`
		Shadow   policyShadowCmd   `cmd:"" help:"Try a published bundle beside the active one, without effect."`
		List     policyListCmd     `cmd:"" help:"List the policy bundles, who had a part in them, and where they are in force."`
		Show     policyShowCmd     `cmd:"" help:"Print the policies in force, or those of a bundle."`
		Schema   policySchemaCmd   `cmd:"" help:"Print the Cedar schema: every action and its arguments."`
		Guards   struct {
			List  guardsListCmd  `cmd:"" help:"List the guards that ship."`
			Show  guardsShowCmd  `cmd:"" help:"Print guards."`
			Write guardsWriteCmd `cmd:"" help:"Write guards and their tests into a policy bundle, to be edited there."`
		} `cmd:"" help:"The guards that ship: reviewed templates of policies."`
		Replay   policyReplayCmd   `cmd:"" help:"Decide recorded calls again under other policies and list what would end otherwise."`
		Coverage policyCoverageCmd `cmd:"" help:"Which rules decided what, and which never did."`
		Mine     policyMineCmd     `cmd:"" help:"Propose the least privilege that covers the recorded work of a purpose."`
		Import   struct {
			AgentCore importAgentCoreCmd `cmd:"" name:"agentcore" help:"Policies of Amazon Bedrock AgentCore Policy."`
			ToolHive  importToolHiveCmd  `cmd:"" name:"toolhive" help:"The authorization configuration of ToolHive."`
		} `cmd:"" help:"Carry policies of other products over, with a report of what is lost."`
	} `cmd:"" help:"Policies."`
	Schema schemaCmd `cmd:"" help:"List the kinds of record of the management system, or print the JSON Schema of one."`
	Import struct {
		ISO27001 importISO27001Cmd `cmd:"" name:"iso27001" help:"What an organisation with ISO/IEC 27001 has: its statement of applicability and list of documents."`
	} `cmd:"" help:"Carry records of other management systems over, with a report of what is lost."`
	Receipts struct {
		List  receiptsListCmd  `cmd:"" help:"List receipts, newest first."`
		Show  receiptsShowCmd  `cmd:"" help:"Print one receipt with its outcome."`
		Prove receiptsProveCmd `cmd:"" help:"Write the proof that a receipt is in the log (C2SP tlog-proof)."`
	} `cmd:"" help:"Receipts: what was decided and what came of it."`
	Payloads struct {
		Erase payloadsEraseCmd `cmd:"" help:"Erase inputs, facts and results; the receipts stay."`
	} `cmd:"" help:"Content beside the log."`
	Init        initCmd        `cmd:"" help:"Ask a few questions and write the first records of an organisation, with guidance in every file."`
	Plan        planCmd        `cmd:"" help:"Show what applying a directory of registers would change, field by field."`
	Apply       applyCmd       `cmd:"" help:"Make the registers what a directory says: all of it or nothing."`
	Export      exportCmd      `cmd:"" help:"Write the registers to a directory; applying it changes nothing."`
	List        listCmd        `cmd:"" help:"List the records of a kind."`
	Show        showCmd        `cmd:"" help:"Print a record, its version and what people stated of it."`
	History     historyCmd     `cmd:"" help:"Print every version of a record, and what people stated of each."`
	Approve     approveCmd     `cmd:"" help:"Approve a version of a record that others wrote."`
	Acknowledge acknowledgeCmd `cmd:"" help:"State that you have read a version of a document."`
	Accept      acceptCmd      `cmd:"" help:"Accept the risk that is left, as its owner or as top management."`
	Attest      attestCmd      `cmd:"" help:"State that a requirement of the standard is met, until a day."`
	Withdraw    withdrawCmd    `cmd:"" help:"Withdraw what you stated of a record or requirement."`
	Log         struct {
		Export    logExportCmd    `cmd:"" help:"Write the log to a directory that aims-verify reads."`
		Registers logRegistersCmd `cmd:"" help:"Make the registers again from the log and compare."`
	} `cmd:"" help:"The log."`
	Pack     packCmd     `cmd:"" help:"Write the audit pack of a period, which aims-verify verifies offline."`
	Report   reportCmd   `cmd:"" help:"Write a report to open or to import: PDF, XLSX, JSON or OSCAL; the same moment gives the same bytes."`
	Verify   verifyCmd   `cmd:"" help:"Verify the log of a running server or of a database file."`
	Rehearse rehearseCmd `cmd:"" help:"Run the threat model, or recorded runs, against policies, on state that is thrown away."`
	Status   statusCmd   `cmd:"" help:"Print the state of the server and of its controls, or what is shown of a requirement."`
	Gap      gapCmd      `cmd:"" help:"What is shown of the 70 requirements, what is missing, and what to do first."`
	Audit    auditCmds   `cmd:"" help:"Internal audits: tests of whole populations, samples, work papers, findings."`
	SoA      struct {
		Show    soaShowCmd    `cmd:"" default:"withargs" help:"Print it, whether it is approved, and what changed since."`
		Approve soaApproveCmd `cmd:"" help:"Approve the statement that you have seen."`
	} `cmd:"" name:"soa" help:"The statement of applicability: 38 controls, decided, in place and shown."`
	Review        reviewCmds       `cmd:"" help:"Management reviews: inputs frozen before the meeting, decisions, what is overdue."`
	Certification certificationCmd `cmd:"" help:"The certification programme: windows, readiness, what changed, findings of the body."`
	Measures      measuresCmd      `cmd:"" help:"Measures of the management system over time, and what is expected of them."`
	Coverage      coverageCmd      `cmd:"" help:"What of the evidence is likely useful for another framework."`

	Witness witnessCmd `cmd:"" help:"Run a witness that cosigns checkpoints of other logs (C2SP tlog-witness)."`

	Bench benchCmd `cmd:"" help:"Measure on this machine what the product promises about speed."`

	DemoServer demoServerCmd `cmd:"" hidden:""`
	BenchChild benchChildCmd `cmd:"" hidden:""`

	Version   versionCmd   `cmd:"" help:"Print the version."`
	ExitCodes exitCodesCmd `cmd:"" help:"Print what the exit codes mean."`
}

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run executes one command line and returns the exit code.
func run(args []string, std streams) int {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("aims"),
		kong.Description("An AI management system: every action of an agent is decided by policy and recorded before it happens.\n\n"+
			"`aims demo` shows it, `aims serve` runs it. `aims exit-codes` prints what the exit codes mean."),
		kong.Writers(std.out, std.err),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"listen": app.DefaultListen},
	)
	if err != nil {
		return report(std.err, err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(std.err, "aims: %v; try `aims --help`\n", err)
		return exitUsage
	}
	// A first signal asks for an orderly end; a second one, no longer caught, ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(std)
	if err := command.Run(); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			fmt.Fprintln(std.err, "aims: interrupted")
			return exitFailed
		}
		return report(std.err, err)
	}
	return exitDone
}

type versionCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

func (c *versionCmd) Run(std streams) error {
	v := app.ReadVersion()
	if c.JSON {
		return printJSON(std.out, v)
	}
	_, err := fmt.Fprintln(std.out, v)
	return err
}

type exitCodesCmd struct{}

func (c *exitCodesCmd) Run(std streams) error {
	_, err := io.WriteString(std.out, exitCodesHelp)
	return err
}
