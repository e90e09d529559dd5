package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"aims/internal/corrective"
)

// TimelineNote is a line of an incident's timeline.
type TimelineNote struct {
	When     time.Time `json:"when" doc:"when it happened"`
	Text     string    `json:"text" doc:"what happened; kept beside the log"`
	Evidence []string  `json:"evidence,omitempty" doc:"receipts"`
}

// IncidentAssessment says how severe an incident is.
type IncidentAssessment struct {
	Severity corrective.Severity `json:"severity" enum:"low,medium,high,critical"`
	Affected string              `json:"affected" doc:"who or what is affected; kept beside the log"`
}

// NotificationDecision says whom to tell of an incident.
type NotificationDecision struct {
	Tell   []NoticeDue `json:"tell" doc:"whom to tell by when; empty: nobody"`
	Reason string      `json:"reason" doc:"why; kept beside the log"`
}

// NoticeDue is somebody who is to be told.
type NoticeDue struct {
	To  string          `json:"to" doc:"such as supervisory-authority or users"`
	Due corrective.Date `json:"due"`
}

// NoticeGiven says that somebody was told.
type NoticeGiven struct {
	To   string `json:"to"`
	Text string `json:"text,omitempty" doc:"what they were told; kept beside the log"`
}

func (a *api) incidents(h huma.API) {
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/incidents", Summary: "List incidents, newest first"}, "incidents/read",
		func(ctx context.Context, _ caller, in *listCasesRequest) ([]corrective.Incident, error) {
			f := in.filter()
			f.Words = true
			found, err := a.Corrective.Incidents(ctx, f)
			return append([]corrective.Incident{}, found...), err
		})
	verb(a, h, huma.Operation{Method: http.MethodGet, Path: "/incidents/{id}", Summary: "Show an incident with its timeline"}, "incidents/read",
		func(ctx context.Context, _ caller, in *showCaseRequest) (corrective.Incident, error) {
			return a.Corrective.Incident(ctx, in.ID, in.At)
		})
	verb(a, h, huma.Operation{Method: http.MethodPost, Path: "/incidents", Summary: "Report an incident"}, "incidents/report",
		func(ctx context.Context, c caller, in *newCaseRequest[corrective.NewIncident]) (corrective.Incident, error) {
			return a.Corrective.ReportIncident(ctx, c.by(), in.Body)
		})
	caseStep(a, h, "/incidents", "note", "Add a line to the timeline", "incidents/handle", noMatter,
		func(ctx context.Context, by corrective.By, id string, in TimelineNote) (corrective.Incident, error) {
			return a.Corrective.Note(ctx, by, id, in.When, in.Text, in.Evidence)
		})
	caseStep(a, h, "/incidents", "assess", "Say how severe it is and who is affected", "incidents/handle", noMatter,
		func(ctx context.Context, by corrective.By, id string, in IncidentAssessment) (corrective.Incident, error) {
			return a.Corrective.Assess(ctx, by, id, in.Severity, in.Affected)
		})
	caseStep(a, h, "/incidents", "decide", "Decide whom to tell, or that nobody is told", "incidents/notify", noMatter,
		func(ctx context.Context, by corrective.By, id string, in NotificationDecision) (corrective.Incident, error) {
			tell := make([]corrective.Notice, len(in.Tell))
			for i, n := range in.Tell {
				tell[i] = corrective.Notice{To: n.To, Due: n.Due}
			}
			return a.Corrective.DecideNotification(ctx, by, id, tell, in.Reason)
		})
	caseStep(a, h, "/incidents", "notified", "Record that somebody was told", "incidents/notify", noMatter,
		func(ctx context.Context, by corrective.By, id string, in NoticeGiven) (corrective.Incident, error) {
			return a.Corrective.Notified(ctx, by, id, in.To, in.Text)
		})
	for name, do := range map[string]struct {
		summary, action string
		take            func(context.Context, corrective.By, string, string) (corrective.Incident, error)
	}{
		"contain": {"Record that it does no more harm", "incidents/handle", a.Corrective.Contain},
		"resolve": {"Record that it is over", "incidents/handle", a.Corrective.Resolve},
		"close":   {"Close an incident of which everybody was told who is to be", "incidents/close", a.Corrective.CloseIncident},
		"reopen":  {"Take an incident up again", "incidents/reopen", a.Corrective.ReopenIncident},
	} {
		caseStep(a, h, "/incidents", name, do.summary, do.action, noMatter,
			func(ctx context.Context, by corrective.By, id string, in Text) (corrective.Incident, error) {
				return do.take(ctx, by, id, in.Text)
			})
	}
}
